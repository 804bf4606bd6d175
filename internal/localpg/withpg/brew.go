package main

import (
	"context"
	"os"
)

// brewFormula starts no server by itself.
const brewFormula = "postgresql@18"

// brewOpen reports whether Homebrew is here. It refuses root.
func brewOpen(context.Context) bool {
	return has("brew") && os.Getuid() != 0
}

func brewInstall(ctx context.Context) error {
	return command(ctx, "", "brew", "install", brewFormula)
}
