package mysql

import (
	"crypto/sha1" //nolint:gosec // the method is the server's
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
)

// The methods of proving who one is.
const (
	methodNative      = "mysql_native_password"
	methodCachingSHA2 = "caching_sha2_password"
)

// What a server says of a proof by methodCachingSHA2: it is enough, or the password
// itself is wanted.
const (
	proofEnough    = 0x03
	passwordWanted = 0x04
)

// ErrNeedsTLS says that the server wants the password itself.
var ErrNeedsTLS = errors.New("the server wants the password itself, which goes over TLS alone: use ssl-mode=required")

// proof is the answer to a server's challenge.
func proof(method, password string, challenge []byte) ([]byte, error) {
	switch {
	case method != methodNative && method != methodCachingSHA2:
		return nil, fmt.Errorf("the login wants the method %q: only %s and %s are known", method, methodNative, methodCachingSHA2)
	case password == "":
		return nil, nil
	case method == methodNative:
		// SHA1(password) XOR SHA1(challenge + SHA1(SHA1(password)))
		once := sha1.Sum([]byte(password))
		twice := sha1.Sum(once[:])
		mixed := sha1.Sum(append(append([]byte{}, challenge...), twice[:]...))
		subtle.XORBytes(mixed[:], mixed[:], once[:])
		return mixed[:], nil
	default:
		// SHA256(password) XOR SHA256(SHA256(SHA256(password)) + challenge)
		once := sha256.Sum256([]byte(password))
		twice := sha256.Sum256(once[:])
		mixed := sha256.Sum256(append(twice[:], challenge...))
		subtle.XORBytes(mixed[:], mixed[:], once[:])
		return mixed[:], nil
	}
}
