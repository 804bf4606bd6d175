// Here: all that was found, for programs.

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	ours "github.com/rowlock/rowlock/internal/bench"
)

// A Report is what is written to a file.
type Report struct {
	Date             string           `json:"date"`
	Cores            int              `json:"cores"`
	Platform         string           `json:"platform"`
	Go               string           `json:"go"`
	Node             string           `json:"node,omitempty"`
	Postgres         string           `json:"postgres"`
	PostgresSettings string           `json:"postgres_settings"`
	Redis            string           `json:"redis,omitempty"`
	RedisDurability  string           `json:"redis_durability,omitempty"`
	Options          Options          `json:"options"`
	Systems          map[string]About `json:"systems"`
	Skipped          []Skipped        `json:"skipped,omitempty"`
	Sums             []Sum            `json:"sums"`
	Runs             []Run            `json:"runs"` // in their order
}

// report returns what c has found so far.
func (c *comparison) report(postgres, settings string) *Report {
	r := &Report{
		Date: time.Now().UTC().Format(time.RFC3339), Cores: runtime.NumCPU(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Go:       strings.Replace(runtime.Version(), "go", "Go ", 1),
		Node:     c.stores.nodeVersion, Postgres: postgres, PostgresSettings: settings,
		Options: c.options, Systems: c.abouts, Skipped: c.skipped,
		Sums: sumUp(c.runs), Runs: c.runs,
	}
	if c.stores.server != nil {
		r.Redis, r.RedisDurability = c.stores.server.version, redisDurability
	}
	return r
}

// serverSettings returns the version of the server, and those settings that matter.
func (s *stores) serverSettings(ctx context.Context) (version, settings string, err error) {
	db, err := connect(ctx, s.postgres.server.URL)
	if err != nil {
		return "", "", err
	}
	defer db.Close()
	version, set, err := ours.Server(ctx, db)
	if err != nil {
		return "", "", err
	}
	version, _, _ = strings.Cut(version, " ")
	told := make([]string, len(set))
	for i, one := range set {
		told[i] = one.Name + " " + one.Value
	}
	return version, strings.Join(told, ", "), nil
}

// save writes r to a file, or to results/ under a name with the date if path is empty.
func (r *Report) save(path string) (string, error) {
	if path == "" {
		day := strings.NewReplacer(":", "", "T", "-", "Z", "").Replace(r.Date)
		path = filepath.Join("results", day+".json")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", fmt.Errorf("save the results: %w; name a file by --out", err)
	}
	content, err := r.json()
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		return "", fmt.Errorf("save the results: %w; name a file by --out", err)
	}
	return path, nil
}

func (r *Report) json() ([]byte, error) {
	content, err := json.MarshalIndent(r, "", "  ")
	return append(content, '\n'), err
}
