package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/pflag"
)

// hasKey reports whether there is a key to send with.
func hasKey(flags *pflag.FlagSet) bool {
	return flags.Changed("api-key-file") || os.Getenv("WHOP_API_KEY") != ""
}

const maxKeyFile = 64 << 10 // bytes

// readKey reads a key from the file of a flag, without the newline at its end. No error names the
// file: somebody may have given the key itself.
func readKey(flag, name string) (string, error) {
	file, err := os.Open(name)
	if err != nil {
		return "", keyFileError(flag, err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxKeyFile+1))
	if err != nil {
		return "", keyFileError(flag, err)
	}
	if len(content) > maxKeyFile {
		return "", errors.New(flag + ": the file is too large to be a key")
	}
	key := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	if key == "" {
		return "", errors.New(flag + ": the file is empty")
	}
	return key, nil
}

func keyFileError(flag string, err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err
	}
	return fmt.Errorf("%s takes the name of a file that holds the key: %w", flag, err)
}
