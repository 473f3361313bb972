package main

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestExplainIsSafeOnATerminal(t *testing.T) {
	var stderr bytes.Buffer
	assert.Equal(t, exitError, explain(&stderr, errors.New("the agent said \x1b[2J\nand \u202emore")))
	assert.Equal(t, `error: the agent said \x1b[2J`+"\n"+`error: and \u202emore`+"\n", stderr.String())
}
