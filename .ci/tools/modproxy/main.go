// Command modproxy adds modules of a git repository to a directory that serves as a
// module proxy, with GOPROXY=file://DIR: what the go command would make of their tags.
//
//	modproxy DIR REVISION VERSION SUBDIRECTORY...
//
// It prints the lines that go.sum has for them, and runs at the repository's root. REVISION may be a tree, so that a commit can hold the
// checksums of what is in it. VERSION is that of each module; "." is the one at the root.
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/zip"
)

func main() {
	if len(os.Args) < 5 {
		fmt.Fprintln(os.Stderr, "usage: modproxy DIR REVISION VERSION SUBDIRECTORY...")
		os.Exit(2)
	}
	dir, revision, version := os.Args[1], os.Args[2], os.Args[3]
	for _, sub := range os.Args[4:] {
		if err := add(dir, revision, version, path.Clean(sub)); err != nil {
			fmt.Fprintf(os.Stderr, "modproxy: %s: %v\n", sub, err)
			os.Exit(1)
		}
	}
}

// add writes the four files of a version of a module, and prints its checksums.
func add(dir, revision, version, sub string) error {
	gomod, err := exec.Command("git", "show", revision+":"+path.Join(sub, "go.mod")).Output()
	if err != nil {
		return fmt.Errorf("reading go.mod of %s: %w", revision, err)
	}
	m := module.Version{Path: modfile.ModulePath(gomod), Version: version}
	if err := module.Check(m.Path, m.Version); err != nil {
		return err
	}
	escaped, err := module.EscapePath(m.Path)
	if err != nil {
		return err
	}
	if sub == "." {
		sub = ""
	}
	var archive bytes.Buffer
	if err := zip.CreateFromVCS(&archive, m, ".", revision, sub); err != nil {
		return err
	}
	info, err := json.Marshal(map[string]string{"Version": version})
	if err != nil {
		return err
	}
	versions := filepath.Join(dir, filepath.FromSlash(escaped), "@v")
	if err := os.MkdirAll(versions, 0o755); err != nil {
		return err
	}
	write := func(name string, data []byte) error {
		return os.WriteFile(filepath.Join(versions, name), data, 0o644)
	}
	archived := filepath.Join(versions, version+".zip")
	if err := cmp.Or(
		os.WriteFile(archived, archive.Bytes(), 0o644),
		write(version+".mod", gomod),
		write(version+".info", info),
		write("list", []byte(version+"\n")),
	); err != nil {
		return err
	}
	all, err := dirhash.HashZip(archived, dirhash.Hash1)
	if err != nil {
		return err
	}
	gomodAlone, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(gomod)), nil
	})
	if err != nil {
		return err
	}
	fmt.Printf("%s %s %s\n%s %s/go.mod %s\n", m.Path, version, all, m.Path, version, gomodAlone)
	return nil
}
