# The worker and, beside it, rowlock; static and alone: no shell, no libc, not root.
FROM golang:1.26-alpine AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /out/ ./cmd/... && mkdir /out/data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/worker /out/rowlock /
# What is kept: exports, and the sandbox's ledger. A volume takes over its owner.
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
ENTRYPOINT ["/worker"]
CMD ["run"]
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s \
	CMD ["/worker", "health"]
