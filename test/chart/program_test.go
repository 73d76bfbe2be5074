package chart

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/mini-hpa/mini-hpa/test/controlplane"
)

// built is the program, once for all tests.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "mini-hpa-chart-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "mini-hpa")
	cmd := exec.Command("go", "build", "-tags", "grpcnotrace", "-o", path, "./cmd/mini-hpa")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(err, errors.New(string(out)))
	}
	return path, nil
})

func build(t *testing.T) string {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatalf("build mini-hpa: %v", err)
	}
	return path
}

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := built(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// process is what a container of the release would run: with its arguments, its ServiceAccount's token and nothing else.
type process struct {
	t       *testing.T
	cmd     *exec.Cmd
	log     string
	webhook string // where it serves
	done    chan error
}

// start runs the container of the installed Deployment; what names places in a pod is replaced.
func (s *site) start(t *testing.T, env ...string) *process {
	t.Helper()
	d, err := s.client.AppsV1().Deployments(home).Get(t.Context(), release, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	health := freeAddress(t)
	p := &process{t: t, log: filepath.Join(t.TempDir(), "log"), webhook: freeAddress(t), done: make(chan error, 1)}
	args := append(d.Spec.Template.Spec.Containers[0].Args,
		"--kubeconfig="+s.tokenKubeconfig(t, d.Spec.Template.Spec.ServiceAccountName), "--metrics-bind-address=0", "--health-probe-bind-address="+health,
		"--webhook-bind-address="+p.webhook, "--metrics-resolution="+samplePeriod.String(), "--shutdown-delay-duration=1s")
	p.run(s.program, args, env)
	p.ready(health)
	return p
}

// tokenKubeconfig is how the pods of a ServiceAccount are known.
func (s *site) tokenKubeconfig(t *testing.T, account string) string {
	t.Helper()
	token, err := s.client.CoreV1().ServiceAccounts(home).CreateToken(t.Context(), account, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.LoadFromFile(s.cluster.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	current := config.Contexts[config.CurrentContext]
	config.AuthInfos = map[string]*api.AuthInfo{account: {Token: token.Status.Token}}
	current.AuthInfo, current.Namespace = account, home
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func (p *process) run(program string, args, env []string) {
	p.t.Helper()
	log, err := os.Create(p.log)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	p.cmd = exec.Command(program, args...)
	p.cmd.Env = append(append(os.Environ(), "POD_NAMESPACE="+home), env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = dieWithParent()
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	p.t.Cleanup(p.kill)
}

func (p *process) ready(address string) {
	p.t.Helper()
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	eventually(p.t, "mini-hpa is ready", func(context.Context) (bool, string) {
		response, err := client.Get("http://" + address + "/readyz")
		if err != nil {
			return false, err.Error()
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK, response.Status
	})
}

// stop ends it as the kubelet does.
func (p *process) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Errorf("SIGTERM: %v", err)
	}
	select {
	case err := <-p.done:
		p.done <- err
		if err != nil {
			p.t.Errorf("it ended with %v, want status 0; its log ends with:\n%s", err, p.tail())
		}
	case <-time.After(patience):
		p.t.Errorf("it does not end within %s of SIGTERM", patience)
	}
}

func (p *process) kill() {
	select {
	case <-p.done:
	default:
		_ = p.cmd.Process.Kill()
		<-p.done
	}
	if p.t.Failed() {
		p.t.Logf("its log ends with:\n%s", p.tail())
	}
}

func (p *process) tail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(text[max(0, len(text)-8000):]))
}

func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := controlplane.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return address
}
