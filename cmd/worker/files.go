// Here: the exported files, held against what is on record of them.

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
)

// auditFiles wants each completed export to have its file.
func (a *account) auditFiles() {
	for _, e := range a.Exports {
		if e.Status != "completed" {
			a.problem("export %d is %s", e.ID, e.Status)
			continue
		}
		bytes, sum, err := digest(e.Path)
		switch {
		case err != nil:
			a.problem("export %d: %v", e.ID, err)
		case bytes != e.Bytes || sum != e.SHA256:
			a.problem("export %d: %s has %d bytes with SHA-256 %s, which is not what is on record",
				e.ID, e.Path, bytes, sum)
		}
	}
}

// digest returns the size of a file and its SHA-256 in hexadecimal.
func digest(path string) (bytes int64, sum string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	hash := sha256.New()
	bytes, err = io.Copy(hash, file)
	return bytes, hex.EncodeToString(hash.Sum(nil)), errors.Join(err, file.Close())
}
