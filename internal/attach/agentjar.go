package attach

import (
	"archive/zip"
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"path/filepath"
	"strconv"
	"strings"
)

// errTooNew says that an agent is made for a later Java than that of the JVM.
var errTooNew = errors.New("is made for a later Java")

// classFileJava is what a class file's major version is above its Java (JVM specification, table 4.1-A).
const classFileJava = 44

// runsOn says that the agent of a jar is made for a later Java than the JVM's, whose class version is
// as the property java.class.version has it: 52.0. Such an agent must not be loaded: the JVM then has its
// jar on the class path and can't take another one until it ends. What can't be read is left to the JVM.
func runsOn(jar, classVersion string) error {
	have, err := strconv.ParseFloat(classVersion, 64)
	if err != nil {
		return nil
	}
	need, err := agentClassVersion(jar)
	if err != nil || need <= int(have) {
		return nil
	}
	return fmt.Errorf("%s %w, %d, than the JVM's, %d: nothing was loaded. Jolokia's agents up to 2.3.0 run on Java 11, jolokia-jvm-1.7.2.jar on Java 8",
		filepath.Base(jar), errTooNew, need-classFileJava, int(have)-classFileJava)
}

// agentClassVersion returns the major class file version of a jar's Agent-Class.
func agentClassVersion(jar string) (int, error) {
	z, err := zip.OpenReader(jar)
	if err != nil {
		return 0, err
	}
	defer z.Close()
	manifest, err := z.Open("META-INF/MANIFEST.MF")
	if err != nil {
		return 0, err
	}
	defer manifest.Close()
	// Lines go on behind a blank, as those of MIME do, but are joined without it.
	main, err := textproto.NewReader(bufio.NewReader(io.LimitReader(manifest, 1<<20))).ReadMIMEHeader()
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	class, err := z.Open(strings.NewReplacer(" ", "", ".", "/").Replace(main.Get("Agent-Class")) + ".class")
	if err != nil {
		return 0, err
	}
	defer class.Close()
	var head struct {
		Magic        uint32
		Minor, Major uint16
	}
	err = binary.Read(class, binary.BigEndian, &head)
	return int(head.Major), err
}
