package pgtest

import (
	"context"
	"fmt"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"

	"github.com/rowlock/rowlock/internal/localpg"
)

// image is the Postgres of docker-compose.yml.
const image = "postgres:18-alpine"

// startContainer starts a Postgres in Docker. Testcontainers' reaper removes it
// when this process has ended; the connection to the reaper is a goroutine that
// a test for leaked ones sees.
func startContainer(ctx context.Context) (*localpg.Server, error) {
	c, err := testcontainers.Run(ctx, image,
		testcontainers.WithEnv(map[string]string{"POSTGRES_PASSWORD": "rowlock"}),
		testcontainers.WithCmd("postgres", "-c", "max_connections=500", "-c", "fsync=off",
			"-c", "full_page_writes=off", "-c", "synchronous_commit=off"),
		testcontainers.WithExposedPorts("5432/tcp"),
		// The image starts its server twice: first to make the cluster.
		testcontainers.WithWaitStrategy(
			wait.ForLog("database system is ready to accept connections").WithOccurrence(2),
			wait.ForListeningPort("5432/tcp")),
	)
	if err != nil {
		return nil, fmt.Errorf("start %s in Docker: %w; "+
			"mend that, or name a server by TEST_DATABASE_URL", image, err)
	}
	address, err := c.PortEndpoint(ctx, "5432/tcp", "")
	if err != nil {
		return nil, fmt.Errorf("find the port of %s: %w", image, err)
	}
	return &localpg.Server{
		URL:       "postgres://postgres:rowlock@" + address + "/postgres?sslmode=disable",
		How:       image + " in a container, for this test process",
		Throwaway: true,
	}, nil
}
