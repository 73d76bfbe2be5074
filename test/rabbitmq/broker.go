//go:build unix

package rabbitmq

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/mini-hpa/mini-hpa/test/await"
	"github.com/mini-hpa/mini-hpa/test/child"
	"github.com/mini-hpa/mini-hpa/test/controlplane"
)

const (
	// loopback is where the port mapper and the broker's own node listen.
	loopback = "127.0.0.1"
	// Guest is the name and the password of the user that a broker begins with. Here it may come from anywhere.
	Guest = "guest"
	// patience bounds a start on a busy machine; an idle one needs five seconds.
	patience = 2 * time.Minute
	// grace is how long a broker may take to end before it is killed.
	grace = 15 * time.Second
)

// Broker is a broker with its management API, on one address of this machine, and an Erlang port mapper of its own.
type Broker struct {
	// AMQP and Management are where it listens, as host:port.
	AMQP, Management string

	dir, program, mapper string
	mapperPort           string
	environment          []string
	server, names        *child.Process
}

// Installed says what has to be installed where RabbitMQ is missing.
func Installed() error {
	_, _, err := programs()
	return err
}

// programs are the server's script, which unlike that in PATH runs as any user, and Erlang's port mapper.
func programs() (server, mapper string, err error) {
	found, err := filepath.Glob("/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server")
	if err == nil && len(found) == 0 {
		err = errors.New("there is no /usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server")
	}
	mapper, missing := exec.LookPath("epmd")
	if err := cmp.Or(err, missing); err != nil {
		return "", "", fmt.Errorf("RabbitMQ: %w; on Debian and Ubuntu this installs it, and starts nothing:\n"+
			"    sudo env RUNLEVEL=1 apt-get install --no-install-recommends rabbitmq-server", err)
	}
	return found[len(found)-1], mapper, nil
}

// New prepares a broker that listens on an IP address of this machine and keeps everything in dir. Start starts it.
func New(dir, address string) (*Broker, error) {
	b := &Broker{dir: dir}
	var err error
	if b.program, b.mapper, err = programs(); err != nil {
		return nil, err
	}
	var ports []string
	for _, at := range []string{address, loopback, address, loopback} {
		port, err := controlplane.FreePort(at)
		if err != nil {
			return nil, err
		}
		ports = append(ports, port)
	}
	b.AMQP, b.mapperPort, b.Management = net.JoinHostPort(address, ports[0]), ports[1], net.JoinHostPort(address, ports[2])
	for name, text := range map[string]string{
		"conf": fmt.Sprintf("listeners.tcp.1 = %s\nmanagement.tcp.ip = %s\nmanagement.tcp.port = %s\nloopback_users = none\n"+
			"collect_statistics_interval = 5000\n", b.AMQP, address, ports[2]),
		"plugins": "[rabbitmq_management].\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return nil, fmt.Errorf("write the broker's %s: %w", name, err)
		}
	}
	b.environment = append(os.Environ(), "HOME="+dir, "ERL_EPMD_PORT="+b.mapperPort, "ERL_EPMD_ADDRESS="+loopback, "RABBITMQ_DIST_PORT="+ports[3],
		"RABBITMQ_NODENAME=test"+ports[3]+"@localhost", "RABBITMQ_MNESIA_BASE="+dir+"/data", "RABBITMQ_LOG_BASE="+dir+"/log",
		"RABBITMQ_CONFIG_FILE="+dir+"/conf", "RABBITMQ_ENABLED_PLUGINS_FILE="+dir+"/plugins", "RABBITMQ_CONF_ENV_FILE="+dir+"/none",
		"RABBITMQ_PID_FILE="+dir+"/pid",
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=+S 1:1 +sbwt none -start_epmd false -kernel inet_dist_use_interface {127,0,0,1}",
		"RUNNING_UNDER_SYSTEMD=true") // the script becomes the broker, so that it ends with the process that is known here
	return b, nil
}

// Start starts it, also once more after Kill with the same data and the same ports, and returns when it takes queues.
func (b *Broker) Start(ctx context.Context) (err error) {
	if b.names == nil {
		command := exec.Command(b.mapper, "-address", loopback, "-port", b.mapperPort) //nolint:noctx // it outlives the start
		if b.names, err = child.Start("epmd", command, filepath.Join(b.dir, "epmd.txt")); err != nil {
			return err
		}
		if err := b.await(ctx, b.names, b.mapped); err != nil {
			return err
		}
	}
	command := exec.Command(b.program) //nolint:noctx // it outlives the start
	command.Dir = b.dir                // where the emulator leaves its dumps
	command.Env = b.environment
	if b.server, err = child.Start("rabbitmq-server", command, filepath.Join(b.dir, "server.txt")); err != nil {
		return err
	}
	return b.await(ctx, b.server, func(ctx context.Context) error { // the API may be there before queues are
		return b.Call(ctx, http.MethodPut, "/queues/%2F/ready", map[string]bool{"durable": true}, nil)
	})
}

// await waits until a process is ready.
func (b *Broker) await(ctx context.Context, process *child.Process, ready func(ctx context.Context) error) error {
	err := await.Within(ctx, patience, 50*time.Millisecond, func(ctx context.Context) error {
		if err := process.Fallen(); err != nil {
			return await.Final(err)
		}
		return ready(ctx)
	})
	if err != nil {
		err = fmt.Errorf("start RabbitMQ: %w\n%s", err, process.Tail())
	}
	return err
}

// mapped says whether the port mapper listens.
func (b *Broker) mapped(ctx context.Context) error {
	connection, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(loopback, b.mapperPort))
	if err != nil {
		return err
	}
	return connection.Close()
}

// Fallen is the error of a broker that has ended by itself; nil otherwise.
func (b *Broker) Fallen() error { return b.server.Fallen() }

// Kill ends the broker at once.
func (b *Broker) Kill() { b.server.Kill() }

// Stop ends whatever runs of it.
func (b *Broker) Stop() {
	for _, process := range []*child.Process{b.server, b.names} {
		if process != nil {
			process.Stop(grace)
		}
	}
}

// Call uses the management API as the guest, at a path such as "/queues/%2F". What it answers is read into the last argument, unless that is
// nil.
func (b *Broker) Call(ctx context.Context, method, path string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+b.Management+"/api"+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.SetBasicAuth(Guest, Guest)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
	case response.StatusCode >= 300:
		err = fmt.Errorf("%s: %s", response.Status, said)
	case into != nil:
		err = json.Unmarshal(said, into)
	}
	if err != nil {
		return fmt.Errorf("%s %s of RabbitMQ: %w", method, path, err)
	}
	return nil
}

// Depth is how many messages of a queue are left, those included that workers have in hand, and how many these are.
func (b *Broker) Depth(ctx context.Context, vhost, queue string) (left, inHand int, err error) {
	var queues []struct {
		Name           string
		Messages       int
		Unacknowledged int `json:"messages_unacknowledged"`
	}
	// Without statistics, which are some seconds old.
	path := "/queues/" + url.PathEscape(vhost) + "?disable_stats=true&enable_queue_totals=true"
	if err := b.Call(ctx, http.MethodGet, path, nil, &queues); err != nil {
		return 0, 0, err
	}
	for _, q := range queues {
		if q.Name == queue {
			return q.Messages, q.Unacknowledged, nil
		}
	}
	return 0, 0, fmt.Errorf("RabbitMQ has no queue %q", queue)
}

// URL is where the guest finds a vhost by AMQP.
func (b *Broker) URL(vhost string) string {
	return "amqp://" + Guest + ":" + Guest + "@" + b.AMQP + "/" + url.PathEscape(vhost)
}
