package arch

import "slices"

// House returns the plan of the product's module: who may import whom is said here and nowhere else. A new room needs a row.
func House() Plan {
	vocabulary := []string{"k8s.io/api", "k8s.io/apimachinery", "sigs.k8s.io/yaml"}
	decision := slices.Concat(vocabulary, []string{"k8s.io/metrics/pkg/apis", "./annotations/amount", "./annotations/podspec", "./annotations/schedule", "./annotations", "./scaler/clock", "./scaler/sample"})
	replay := slices.Concat(decision, []string{"./scaler/recommend"})
	simulation := slices.Concat(replay, []string{"./scaler/trace"})
	client := slices.Concat(vocabulary, []string{"k8s.io/client-go"})
	return Plan{
		Module: "github.com/mini-hpa/mini-hpa",
		Closed: []string{"cmd/mini-hpa"},
		Pure:   []string{"annotations/amount", "annotations/spelling", "annotations/podspec", "annotations/lines", "annotations/schedule", "annotations/catalog", "annotations/serves", "annotations", "annotations/hpa", "scaler/sample", "scaler/clock", "scaler/recommend", "scaler/simulate", "scaler/wake", "cmd/internal/picture"},
		Rooms: map[string][]string{
			"docs":                 {"github.com/google/go-cmp"},
			"annotations/amount":   {"k8s.io/api", "k8s.io/apimachinery"},
			"annotations/podspec":  {"k8s.io/api", "k8s.io/apimachinery", "./annotations/amount"},
			"annotations/lines":    {},
			"annotations/spelling": {},
			"annotations/schedule": {"./annotations/lines"},
			"annotations/catalog":  slices.Concat(vocabulary, []string{"./annotations/lines", "./annotations/spelling"}),
			"annotations/serves":   {"k8s.io/api", "k8s.io/apimachinery"},
			"annotations":          slices.Concat(vocabulary, []string{"./annotations/amount", "./annotations/podspec", "./annotations/lines", "./annotations/schedule", "./annotations/spelling", "./annotations/catalog", "./annotations/serves"}),
			"annotations/hpa":      slices.Concat(vocabulary, []string{"sigs.k8s.io/json", "./annotations/amount", "./annotations"}),
			"scaler/sample":        {"k8s.io/api", "k8s.io/apimachinery"},
			"scaler/clock":         {"k8s.io/apimachinery", "k8s.io/metrics/pkg/apis", "./scaler/sample"},
			"scaler/recommend":     decision,
			"scaler/wake":          {"./annotations/serves"},
			"scaler/doors":         slices.Concat(client, []string{"go.uber.org/zap", "github.com/prometheus/client_golang", "./annotations/podspec", "./annotations/serves", "./annotations", "./scaler/wake"}),
			"scaler/trace":         replay,
			"scaler/simulate":      simulation,
			"cmd/internal/picture": {},
			"scaler/metrics":       slices.Concat(client, []string{"k8s.io/metrics", "./annotations/amount", "./annotations/catalog", "./annotations", "./scaler/clock", "./scaler/sample"}),
			"scaler/sources":       slices.Concat(client, []string{"k8s.io/metrics/pkg/apis", "go.uber.org/zap", "github.com/prometheus/client_golang", "github.com/redis/rueidis", "github.com/twmb/franz-go", "github.com/nats-io", "github.com/jackc/pgx/v5/pgconn", "github.com/go-sql-driver/mysql", "github.com/aws/aws-sdk-go-v2/aws", "google.golang.org/grpc", "google.golang.org/protobuf/encoding/protowire", "./annotations/catalog", "./annotations/podspec", "./annotations", "./scaler/metrics"}),
			"scaler/activator":     {"k8s.io/apimachinery", "go.uber.org/zap", "github.com/prometheus/client_golang", "golang.org/x/sys/unix", "./annotations/serves"},
			"informer/watching":    client,
			"informer":             slices.Concat(client, []string{"k8s.io/utils/lru", "./annotations/amount", "./annotations/podspec", "./annotations", "./informer/watching"}),
			"scaler": slices.Concat(client, []string{
				"k8s.io/metrics", "k8s.io/utils/lru", "go.uber.org/zap", "github.com/prometheus/client_golang", "github.com/prometheus/client_model",
				"./annotations/podspec", "./annotations/schedule", "./annotations/catalog", "./annotations", "./scaler/clock", "./scaler/sample", "./scaler/recommend", "./scaler/metrics", "./scaler/trace", "./scaler/wake",
			}),
			"webhook": slices.Concat(client, []string{
				"sigs.k8s.io/controller-runtime/pkg/webhook", "go.uber.org/zap", "github.com/prometheus/client_golang", "./annotations/amount", "./annotations/podspec", "./annotations", "./webhook/sampled",
			}),
			"webhook/authority": slices.Concat(client, []string{"go.uber.org/zap"}),
			"webhook/guard":     {"go.uber.org/zap", "./webhook/sampled"},
			"webhook/sampled":   {"go.uber.org/zap"},
			"cmd/internal/cli": slices.Concat(vocabulary, []string{
				"k8s.io/klog/v2", "sigs.k8s.io/controller-runtime/pkg/log", "go.uber.org/zap", "github.com/go-logr/zapr", "github.com/spf13/pflag",
				"./annotations/spelling", "./annotations", "./scaler/recommend",
			}),
			"cmd/internal/manifest": slices.Concat(vocabulary, []string{"./annotations"}),
			"cmd/internal/clitest": slices.Concat(client, []string{
				"k8s.io/metrics/pkg/apis", "go.uber.org/zap", "github.com/google/go-cmp", "./annotations", "./cmd/internal/cli", "./cmd/internal/state", "./scaler",
			}),
			"cmd/internal/cluster": slices.Concat(client, []string{
				"go.uber.org/zap", "github.com/spf13/pflag", "./cmd/internal/cli", "./annotations", "./informer/watching", "./scaler/metrics",
			}),
			"cmd/internal/keda":      slices.Concat(vocabulary, []string{"sigs.k8s.io/json", "github.com/robfig/cron/v3", "./annotations/amount", "./annotations", "./annotations/hpa"}),
			"cmd/internal/kustomize": {"./cmd/internal/manifest"},
			"cmd/internal/fitting":   slices.Concat(vocabulary, []string{"./annotations/amount", "./annotations", "./cmd/internal/cli"}),
			"cmd/internal/neighbors": slices.Concat(client, []string{"./annotations/amount", "./annotations", "./cmd/internal/cli"}),
			"cmd/internal/lint": slices.Concat(client, []string{
				"github.com/spf13/pflag", "gopkg.in/evanphx/json-patch.v4", "./annotations/amount", "./annotations/catalog", "./annotations",
				"./cmd/internal/cli", "./cmd/internal/cluster", "./cmd/internal/manifest", "./cmd/internal/fitting", "./cmd/internal/kustomize", "./cmd/internal/neighbors", "./scaler/sources",
			}),
			"cmd/internal/explain": slices.Concat(client, []string{
				"github.com/spf13/pflag", "./cmd/internal/cli", "./cmd/internal/cluster", "./cmd/internal/leader", "./cmd/internal/state", "./cmd/internal/neighbors",
				"go.uber.org/zap", "./annotations/podspec", "./annotations/catalog", "./annotations", "./informer", "./scaler", "./scaler/sample", "./scaler/recommend", "./scaler/metrics", "./scaler/sources", "./scaler/trace", "./annotations/serves", "./scaler/wake",
			}),
			"cmd/internal/dictionary": {"github.com/spf13/pflag", "./annotations", "./cmd/internal/cli"},
			"cmd/internal/migrate": slices.Concat(client, []string{
				"github.com/spf13/pflag", "./annotations", "./annotations/hpa", "./cmd/internal/keda", "./cmd/internal/cli", "./cmd/internal/cluster", "./cmd/internal/manifest", "./cmd/internal/fitting",
			}),
			"cmd/internal/replay": slices.Concat(vocabulary, []string{
				"github.com/spf13/pflag", "./cmd/internal/cli", "./cmd/internal/picture", "./annotations", "./scaler/recommend", "./scaler/trace",
			}),
			"cmd/internal/sources": slices.Concat(vocabulary, []string{
				"github.com/spf13/pflag", "./cmd/internal/cli", "./annotations/lines", "./annotations/catalog", "./scaler/metrics", "./scaler/sources",
			}),
			"cmd/internal/selftest": slices.Concat(client, []string{
				"github.com/spf13/pflag", "./cmd/internal/cli", "./cmd/internal/cluster", "./cmd/internal/leader", "./cmd/internal/state", "./annotations/catalog", "./annotations", "./scaler/metrics", "./scaler/sources",
			}),
			"cmd/internal/endpoint": slices.Concat(client, []string{
				"sigs.k8s.io/controller-runtime/pkg/metrics", "k8s.io/utils/lru", "go.uber.org/zap", "github.com/prometheus/client_golang", "github.com/spf13/pflag",
				"./cmd/internal/cli", "./informer/watching",
			}),
			"cmd/internal/activator": slices.Concat(client, []string{
				"go.uber.org/zap", "github.com/prometheus/client_golang", "github.com/spf13/pflag",
				"./cmd/internal/cli", "./cmd/internal/cluster", "./cmd/internal/endpoint", "./annotations/serves", "./informer/watching", "./scaler/activator",
			}),
			"cmd/internal/wake": slices.Concat(client, []string{
				"github.com/spf13/pflag", "./annotations/serves", "./annotations", "./cmd/internal/cli", "./cmd/internal/cluster", "./scaler",
			}),
			"cmd/internal/election": slices.Concat(client, []string{
				"k8s.io/klog/v2", "go.uber.org/zap", "github.com/go-logr/zapr", "github.com/spf13/pflag", "./cmd/internal/cli", "./cmd/internal/cluster", "./annotations", "./scaler",
			}),
			"cmd/internal/state":  slices.Concat(vocabulary, []string{"./annotations", "./scaler", "./scaler/recommend", "./scaler/sources"}),
			"cmd/internal/leader": slices.Concat(client, []string{"k8s.io/streaming/pkg/httpstream", "github.com/spf13/pflag", "./cmd/internal/cli", "./cmd/internal/cluster", "./cmd/internal/state", "./scaler"}),
			"cmd/internal/get": slices.Concat(client, []string{
				"github.com/spf13/pflag", "./cmd/internal/cli", "./cmd/internal/cluster", "./cmd/internal/leader", "./cmd/internal/neighbors", "./cmd/internal/state",
				"./annotations", "./informer", "./scaler", "./scaler/metrics",
			}),
			"cmd/internal/doctor": {"github.com/spf13/pflag", "./cmd/internal/cli", "./cmd/internal/cluster", "./cmd/internal/get", "./cmd/internal/leader", "./cmd/internal/selftest", "./annotations", "./scaler"},
			"cmd/internal/pause":  slices.Concat(client, []string{"github.com/spf13/pflag", "./cmd/internal/cli", "./cmd/internal/cluster", "./annotations"}),
			"cmd/internal/history": slices.Concat(client, []string{
				"github.com/spf13/pflag", "./cmd/internal/cli", "./cmd/internal/cluster", "./cmd/internal/leader", "./cmd/internal/state", "./annotations", "./scaler",
			}),
			// What get, explain and doctor say, the page says too.
			"cmd/internal/dashboard": slices.Concat(client, []string{
				"github.com/spf13/pflag", "./cmd/internal/cli", "./cmd/internal/cluster", "./cmd/internal/doctor", "./cmd/internal/explain", "./cmd/internal/get", "./cmd/internal/leader", "./cmd/internal/state",
				"go.uber.org/zap", "./annotations", "./scaler", "./scaler/recommend", "./scaler/trace", "./scaler/simulate",
			}),
			"cmd/internal/controller": slices.Concat(client, []string{
				"./cmd/internal/state", "./cmd/internal/cli", "./cmd/internal/election", "./cmd/internal/cluster", "./cmd/internal/endpoint",
				"k8s.io/metrics", "k8s.io/klog/v2", "sigs.k8s.io/controller-runtime",
				"go.uber.org/zap", "github.com/go-logr/zapr", "github.com/go-logr/logr", "golang.org/x/sys/unix",
				"github.com/prometheus/client_golang", "github.com/spf13/pflag",
				"./annotations/amount", "./annotations/podspec", "./annotations", "./informer", "./informer/watching", "./scaler", "./webhook", "./webhook/authority", "./webhook/guard",
				"./scaler/clock", "./scaler/sample", "./scaler/recommend", "./scaler/metrics", "./scaler/sources", "./scaler/trace",
				"./annotations/serves", "./scaler/doors", "./scaler/wake",
			}),
			// What lint says of a manifest, simulate says too.
			"cmd/internal/simulate": slices.Concat(vocabulary, []string{
				"github.com/spf13/pflag", "./cmd/internal/cli", "./cmd/internal/lint", "./cmd/internal/picture", "./annotations/podspec", "./annotations",
				"./scaler/recommend", "./scaler/trace", "./scaler/simulate",
			}),
			"cmd/mini-hpa": {
				"./cmd/internal/cli", "./cmd/internal/activator", "./cmd/internal/controller", "./cmd/internal/dashboard", "./cmd/internal/dictionary", "./cmd/internal/doctor", "./cmd/internal/explain", "./cmd/internal/get", "./cmd/internal/history", "./cmd/internal/lint", "./cmd/internal/migrate", "./cmd/internal/pause",
				"./cmd/internal/replay", "./cmd/internal/selftest", "./cmd/internal/simulate", "./cmd/internal/sources", "./cmd/internal/wake",
			},
		},
	}
}
