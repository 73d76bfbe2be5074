# The image holds one static binary and the public certificate authorities: no shell, no package manager, no root.
#
#   docker build --build-arg VERSION=v0.1.0 --build-arg COMMIT=$(git rev-parse HEAD) -t mini-hpa:v0.1.0 .
#
# The same sources, VERSION and COMMIT give the same binary, whatever machine builds it.

FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=""
ARG COMMIT=""
ARG TARGETOS
ARG TARGETARCH
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false \
    -ldflags "-s -w -buildid= -X main.version=$VERSION -X main.commit=$COMMIT" -o /mini-hpa ./cmd/mini-hpa

FROM scratch
# For a kubeconfig whose API server or identity provider has a public certificate.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /mini-hpa /mini-hpa
# "nonroot", as in distroless images. A number, so that Kubernetes can verify runAsNonRoot.
USER 65532:65532
ENTRYPOINT ["/mini-hpa"]
CMD ["controller"]
