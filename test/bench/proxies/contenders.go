//go:build linux

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/prometheus/procfs"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
	"github.com/mini-hpa/mini-hpa/test/child"
)

// contender is a way to the backend.
type contender struct {
	name    string
	address string
	stop    func()
	pid     int
}

// cpu is what its processes have taken so far; nothing where there is none.
func (c *contender) cpu() (time.Duration, error) {
	all, err := procfs.AllProcs()
	if err != nil || c.pid == 0 {
		return 0, err
	}
	var seconds float64
	for _, p := range all {
		stat, err := p.Stat()
		if err == nil && (p.PID == c.pid || stat.PPID == c.pid) { // else it has ended
			seconds += stat.CPUTime()
		}
	}
	return time.Duration(seconds * float64(time.Second)), nil
}

// start starts a program on the first processor and waits until its port is open.
func (b *bench) start(name, address string, env []string, program string, args ...string) (*contender, error) {
	command := exec.CommandContext(context.Background(), "taskset", append([]string{"-c", "0", program}, args...)...)
	command.Env = append(os.Environ(), env...)
	p, err := child.Start(name, command, filepath.Join(b.dir, name+".log"))
	if err != nil {
		return nil, err
	}
	c := &contender{name: name, address: address, pid: p.PID(), stop: func() { p.Stop(10 * time.Second) }}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) { //nolint:forbidigo // a program of others does not say when it is ready
		if open, err := new(net.Dialer).DialContext(context.Background(), "tcp", address); err == nil {
			return c, open.Close()
		}
		if time.Now().After(end) {
			c.stop()
			return nil, fmt.Errorf("%s does not listen on %s; see %s.log", name, address, filepath.Join(b.dir, name))
		}
	}
}

// activator starts mini-hpa activator before an API server.
func (b *bench) activator(s *apiServer, address string) (*contender, error) {
	config, err := s.kubeconfig(b.dir)
	if err != nil {
		return nil, err
	}
	return b.start("activator", address, []string{"GOMAXPROCS=1"}, b.program, "activator", "--kubeconfig="+config, "--tls-dir="+b.dir, "--activator-propagation=0s", "--activator-drain=0s",
		"--state-bind-address=127.0.0.1:0", "--metrics-bind-address=0", "--health-probe-bind-address=0")
}

// contenders are who is compared. Each has connections to the backend that it keeps, where it can.
func (b *bench) contenders() []func() (*contender, error) {
	backend := net.JoinHostPort(b.backend, fmt.Sprint(b.port))
	file := func(name, text string) string {
		path := filepath.Join(b.dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			panic(err) // a directory that was just made
		}
		return path
	}
	haproxy := func(name, mode string, port int) func() (*contender, error) {
		return func() (*contender, error) {
			config := file(name+".cfg", fmt.Sprintf("global\n  nbthread 1\n  maxconn 5000\ndefaults\n  mode %s\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n  http-reuse always\nlisten l\n  bind 127.0.0.1:%d\n  server s %s\n", mode, port, backend))
			if mode == "tcp" {
				config = file(name+".cfg", fmt.Sprintf("global\n  nbthread 1\n  maxconn 5000\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\nlisten l\n  bind 127.0.0.1:%d\n  server s %s\n", port, backend))
			}
			return b.start(name, fmt.Sprint("127.0.0.1:", port), nil, "haproxy", "-db", "-f", config)
		}
	}
	nginx := func() (*contender, error) {
		config := file("nginx.conf", fmt.Sprintf("daemon off;\nworker_processes 1;\npid %[1]s/nginx.pid;\nerror_log %[1]s/nginx-error.log;\nevents { worker_connections 5000; }\nhttp {\n  access_log off;\n  client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;\n  keepalive_requests 100000000;\n  upstream u { server %[2]s; keepalive 200; keepalive_requests 100000000; }\n  server { listen 127.0.0.1:18083; location / { proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Host $host; } }\n}\n", b.dir, backend))
		return b.start("nginx", "127.0.0.1:18083", nil, "nginx", "-c", config)
	}
	own := func(name string, protocol serves.Protocol) func() (*contender, error) {
		return func() (*contender, error) {
			const pair = 20016
			s := newAPIServer(service("web", pair, serves.Serves{Path: serves.PathAlways, Protocol: map[string]serves.Protocol{"http": protocol}, PerPod: 1000}, b.backend, b.port)...)
			c, err := b.activator(s, fmt.Sprint("127.0.0.1:", pair+1))
			if err != nil {
				s.Close()
				return nil, err
			}
			stop := c.stop
			c.name, c.stop = name, func() {
				stop()
				s.CloseClientConnections()
				s.Close()
			}
			return c, nil
		}
	}
	direct := func() (*contender, error) {
		return &contender{name: "no proxy", address: backend, stop: func() {}}, nil
	}
	return []func() (*contender, error){direct, own("activator, HTTP/1.1", serves.HTTP1), haproxy("haproxy", "http", 18081), nginx, own("activator, bytes", serves.TCP), haproxy("haproxy-bytes", "tcp", 18082)}
}
