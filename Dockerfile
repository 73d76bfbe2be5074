# The image holds one static binary and its license: no shell, no package manager, no root. It trusts the CA of its pod or kubeconfig; for an API
# server with a public certificate mount a file of the public authorities at /etc/ssl/certs.
#
#   docker build --build-arg VERSION=v0.1.0 --build-arg COMMIT=$(git rev-parse HEAD) -t mini-hpa:v0.1.0 .
#
# The same sources, VERSION and COMMIT give the same binary with the same Go release (that of GO_IMAGE), whatever machine builds it.
# For the same image, say its time too:
#
#   export SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
#   docker buildx build --platform linux/amd64,linux/arm64 --provenance=false --output type=oci,dest=image.tar,rewrite-timestamp=true ...
#   buildah bud --timestamp $SOURCE_DATE_EPOCH ...
#
# For another platform than its own, buildah 1.28 must be told --build-arg BUILDPLATFORM=linux/amd64 (or what the machine is).
#
# `make image` writes the like without a container engine.

# The compiler's image, for another registry: --build-arg GO_IMAGE=registry.example.com/golang:1.26
ARG GO_IMAGE=docker.io/library/golang:1.26

FROM --platform=$BUILDPLATFORM $GO_IMAGE AS build
WORKDIR /src
# Where modules come from; this is Go's default.
ARG GOPROXY=https://proxy.golang.org,direct
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
ARG COMMIT=unknown
ARG TARGETOS
ARG TARGETARCH
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false -tags grpcnotrace \
    -ldflags "-s -w -funcalign=8 -buildid= -X main.version=$VERSION -X main.commit=$COMMIT" -o /mini-hpa ./cmd/mini-hpa

FROM scratch
ARG VERSION=dev
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="mini-hpa" \
      org.opencontainers.image.description="Autoscales the workloads that say so in three annotations, and refuses those that cannot work" \
      org.opencontainers.image.source="https://github.com/mini-hpa/mini-hpa" \
      org.opencontainers.image.url="https://github.com/mini-hpa/mini-hpa" \
      org.opencontainers.image.licenses="Apache-2.0 AND MPL-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$COMMIT"
COPY LICENSE NOTICE /
COPY --from=build /mini-hpa /mini-hpa
# "nonroot", as in distroless images. A number, so that Kubernetes can verify runAsNonRoot.
USER 65532:65532
ENTRYPOINT ["/mini-hpa"]
CMD ["controller"]
