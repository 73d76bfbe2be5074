{{/*
Values that contradict each other, one to a line: where, what was seen, what is allowed. What a single value may be is in
values.schema.json.
*/}}
{{- define "mini-hpa.problems" -}}
{{- include "mini-hpa.imageProblems" . -}}
{{- include "mini-hpa.availabilityProblems" . -}}
{{- include "mini-hpa.podProblems" . -}}
{{- include "mini-hpa.argumentProblems" . -}}
{{- include "mini-hpa.durationProblems" . -}}
{{- if .Values.webhook.enabled -}}
{{- include "mini-hpa.webhookProblems" . -}}
{{- end -}}
{{- if .Values.activator.enabled -}}
{{- include "mini-hpa.activatorProblems" . -}}
{{- end -}}
{{- include "mini-hpa.monitoringProblems" . -}}
{{- include "mini-hpa.userProblems" . -}}
{{- end -}}

{{- define "mini-hpa.imageProblems" -}}
{{- $image := .Values.image -}}
{{- if regexMatch ":[^/]*$" $image.repository }}
image.repository: {{ quote $image.repository }}: must be without a tag, which is image.tag
{{- end }}
{{- $published := or (include "mini-hpa.releasedDigest" .) $image.tag $image.digest .Values.global.imageRegistry -}}
{{- if and (eq $image.repository (include "mini-hpa.releasedRepository" .)) (not $published) }}
image.repository: {{ $image.repository }}, where no image of this chart is published, because it is not from a release: must be the registry to which you have pushed what "make image" builds, or install the chart of a release
{{- end }}
{{- end -}}

{{- define "mini-hpa.userProblems" -}}
{{- range $path, $needed := dict "controller.leaderElection" .Values.controller.leaderElection "rbac.create" .Values.rbac.create -}}
{{- if and $.Values.rbac.users (not $needed) }}
rbac.users: set, while {{ $path }} is false: must be empty, or {{ $path }} true
{{- end }}
{{- end }}
{{- if and .Values.metrics.secure.readers (not (and .Values.rbac.create (include "mini-hpa.secureMetrics" .))) }}
metrics.secure.readers: set, while rbac.create, metrics.enabled or metrics.secure.enabled is false: must be empty, or all of them true
{{- end }}
{{- range $path, $users := dict "rbac.users" .Values.rbac.users "metrics.secure.readers" .Values.metrics.secure.readers }}
{{- range $i, $user := $users -}}
{{- if and (eq .kind "ServiceAccount") (not .namespace) }}
{{ $path }}[{{ $i }}].namespace: empty, while its kind is ServiceAccount: must be the account's namespace
{{- end }}
{{- if and (ne .kind "ServiceAccount") .namespace }}
{{ $path }}[{{ $i }}].namespace: {{ quote .namespace }}, while its kind is {{ .kind }}: must be empty
{{- end }}
{{- end }}
{{- end }}
{{- if and (include "mini-hpa.secureMetrics" .) .Values.metrics.podMonitor.enabled (not .Values.metrics.secure.token) }}
metrics.secure.token: empty, while metrics.podMonitor.enabled is true: must name a Secret with a token, because a PodMonitor cannot show Prometheus' own
{{- end }}
{{- end -}}

{{- define "mini-hpa.availabilityProblems" -}}
{{- $replicas := int .Values.replicas -}}
{{- if and (gt $replicas 1) (not .Values.controller.leaderElection) }}
replicas: {{ $replicas }}, while controller.leaderElection is false: must be at most 1, or they would all scale
{{- end }}
{{- if and .Values.webhook.enabled (eq .Values.webhook.failurePolicy "Fail") (lt $replicas 2) (not .Values.webhook.acceptFailClosedWithOneReplica) }}
webhook.failurePolicy: Fail, while replicas is {{ $replicas }}: must be Ignore, or replicas at least 2, or webhook.acceptFailClosedWithOneReplica true
{{- end }}
{{- if and (not .Values.serviceAccount.create) (not .Values.serviceAccount.name) }}
serviceAccount.name: empty, while serviceAccount.create is false: must be the name of a ServiceAccount that exists
{{- end }}
{{- end -}}

{{- define "mini-hpa.podProblems" -}}
{{- $ports := list (list "healthPort" .Values.healthPort) -}}
{{- if .Values.metrics.enabled }}{{ $ports = append $ports (list "metrics.port" .Values.metrics.port) }}{{ end -}}
{{- if .Values.webhook.enabled }}{{ $ports = append $ports (list "webhook.port" .Values.webhook.port) }}{{ end -}}
{{- $taken := dict -}}
{{- range $ports -}}
{{- $port := index . 1 | int | toString -}}
{{- if hasKey $taken $port }}
{{ index . 0 }}: {{ $port }}, which is {{ get $taken $port }} too: must be a port of its own
{{- end }}
{{- $_ := set $taken $port (index . 0) -}}
{{- if and $.Values.hostNetwork (eq $port "10250") }}
{{ index . 0 }}: 10250, while hostNetwork is true: must be another port, because that one is the kubelet's
{{- end }}
{{- end }}
{{- if and .Values.hostNetwork (kindIs "bool" .Values.hostUsers) (not .Values.hostUsers) }}
hostUsers: false, while hostNetwork is true: must be true or null, because Kubernetes refuses both together
{{- end }}
{{- range .Values.extraEnv -}}
{{- if has .name (list "POD_NAMESPACE" "POD_NAME") }}
extraEnv: has {{ .name }}, which the chart sets: must be another variable
{{- end }}
{{- end }}
{{- $limit := include "mini-hpa.memoryLimit" . -}}
{{- if and $limit (not (regexMatch (include "mini-hpa.quantity" .) $limit)) }}
resources.limits.memory: {{ quote $limit }}: must be an amount such as 256Mi, 1G or 268435456
{{- end }}
{{- end -}}

{{- define "mini-hpa.argumentProblems" -}}
{{- range .Values.controller.extraArgs -}}
{{- $flag := regexFind "^--[a-z-]+" . | trimPrefix "--" -}}
{{- $value := get (include "mini-hpa.flagValues" $ | fromYaml) $flag -}}
{{- if $value }}
controller.extraArgs: has --{{ $flag }}: must be set by {{ $value }}
{{- else if not (has $flag (include "mini-hpa.otherFlags" $ | splitList " ")) }}
controller.extraArgs: has --{{ $flag }}, which the program does not know: must be of {{ include "mini-hpa.otherFlags" $ | replace " " ", " }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The flags that no value sets. */}}
{{- define "mini-hpa.otherFlags" -}}
context cpu-initialization-period hpa-compat initial-readiness-delay kube-api-timeout kubeconfig leader-elect-lease-duration leader-elect-renew-deadline leader-elect-retry-period min-sync-period state-bind-address activator-state-port
{{- end -}}

{{/* Durations that the program would refuse, which it does by ending. The limits are those of its flags. */}}
{{- define "mini-hpa.durationProblems" -}}
{{- $controller := .Values.controller -}}
{{- range list
      (list "controller.syncPeriod" $controller.syncPeriod "100ms" "1h")
      (list "controller.metricsResolution" $controller.metricsResolution "1s" "10m")
      (list "controller.downscaleStabilization" $controller.downscaleStabilization "0s" "1h")
      (list "controller.defaultWarmUp" $controller.defaultWarmUp "0s" "30m") -}}
{{- include "mini-hpa.durationProblem" . -}}
{{- end -}}
{{- if and .Values.webhook.enabled (ne .Values.webhook.tls.mode "existing-secret") -}}
{{- $tls := .Values.webhook.tls -}}
{{- include "mini-hpa.durationProblem" (list "webhook.tls.caDuration" $tls.caDuration "10s" "87600h") -}}
{{- include "mini-hpa.durationProblem" (list "webhook.tls.certificateDuration" $tls.certificateDuration "10s" "8760h") -}}
{{- if gt (include "mini-hpa.milliseconds" $tls.certificateDuration | int64) (include "mini-hpa.milliseconds" $tls.caDuration | int64) }}
webhook.tls.certificateDuration: {{ $tls.certificateDuration }}: must be at most webhook.tls.caDuration ({{ $tls.caDuration }})
{{- end }}
{{- end -}}
{{- $window := $controller.downscaleStabilization -}}
{{- if and $window (ne (mod (include "mini-hpa.milliseconds" $window | int64) 1000) 0) }}
controller.downscaleStabilization: {{ $window }}: must be whole seconds
{{- end }}
{{- end -}}

{{/* Takes a list of path, value, least and most. A value that was unset is the program's default. */}}
{{- define "mini-hpa.durationProblem" -}}
{{- $value := index . 1 -}}
{{- if $value -}}
{{- $milliseconds := include "mini-hpa.milliseconds" $value | int64 -}}
{{- if or (lt $milliseconds (include "mini-hpa.milliseconds" (index . 2) | int64)) (gt $milliseconds (include "mini-hpa.milliseconds" (index . 3) | int64)) }}
{{ index . 0 }}: {{ $value }}: must be from {{ index . 2 }} to {{ index . 3 }}
{{- end }}
{{- end -}}
{{- end -}}

{{/* A duration like 1h30m, whose form the schema has checked, as a number. */}}
{{- define "mini-hpa.milliseconds" -}}
{{- $units := dict "ms" 1.0 "s" 1000.0 "m" 60000.0 "h" 3600000.0 -}}
{{- $sum := 0.0 -}}
{{- range regexFindAll "[0-9]+([.][0-9]+)?(ms|s|m|h)" . -1 -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- $sum = addf $sum (mulf (trimSuffix $unit . | float64) (get $units $unit)) -}}
{{- end -}}
{{- $sum | int64 -}}
{{- end -}}

{{/* The flags that the chart sets, and the values by which it does. */}}
{{- define "mini-hpa.flagValues" -}}
namespace: controller.watchNamespace
class: controller.class
kinds: controller.kinds
sync-period: controller.syncPeriod
tolerance: controller.tolerance
downscale-stabilization: controller.downscaleStabilization
default-warm-up: controller.defaultWarmUp
metrics-resolution: controller.metricsResolution
workers: controller.workers
kube-api-qps: controller.kubeApiQPS
kube-api-burst: controller.kubeApiBurst
log-level: controller.logLevel
log-format: controller.logFormat
leader-elect: controller.leaderElection
leader-elect-resource-name: fullnameOverride
leader-elect-resource-namespace: the release's namespace
health-probe-bind-address: healthPort
metrics-bind-address: metrics.port and metrics.enabled
metrics-secure: metrics.secure.enabled
metrics-cert-file: metrics.secure.secretName
metrics-private-key-file: metrics.secure.secretName
webhook-bind-address: webhook.port and webhook.enabled
sources: sources
record: recording.enabled
record-limit: recording.limit
activator: activator.enabled
activator-namespace: the release's namespace
activator-selector: fullnameOverride
activator-ca-secret: fullnameOverride
activator-tls-secret: fullnameOverride
activator-ports: activator.ports
activator-propagation: activator.propagation
webhook-configuration: fullnameOverride
webhook-service: fullnameOverride
webhook-ca-secret: fullnameOverride
webhook-hosts: webhook.hosts
webhook-ca-duration: webhook.tls.caDuration
webhook-certificate-duration: webhook.tls.certificateDuration
tls-cert-file: webhook.tls.mode
tls-private-key-file: webhook.tls.mode
shutdown-delay-duration: webhook.drainSeconds
{{- end -}}

{{- define "mini-hpa.webhookProblems" -}}
{{- $scope := .Values.controller.watchNamespace -}}
{{- $unasked := append (.Values.webhook.excludedNamespaces | default list) .Release.Namespace -}}
{{- if and $scope (has $scope $unasked) }}
controller.watchNamespace: {{ quote $scope }}: must not be the release's namespace or in webhook.excludedNamespaces ({{ join ", " $unasked }}), unless webhook.enabled is false
{{- end }}
{{- $tests := include "mini-hpa.testsNamespace" . -}}
{{- if and .Values.tests.enabled (has $tests $unasked) (ne $tests $scope) }}
tests.namespace: {{ quote $tests }}: must be one about which the webhook is asked, not the release's namespace or in webhook.excludedNamespaces ({{ join ", " $unasked }})
{{- end }}
{{- if and .Values.tests.enabled $scope (ne $tests $scope) }}
tests.namespace: {{ quote $tests }}: must be controller.watchNamespace ({{ quote $scope }}), because the webhook is asked about no other
{{- end }}
{{- if and (eq .Values.webhook.tls.mode "existing-secret") (not .Values.webhook.tls.existingSecret.name) }}
webhook.tls.existingSecret.name: empty, while webhook.tls.mode is existing-secret: must be the name of a Secret with tls.crt and tls.key
{{- end }}
{{- if and (ne .Values.webhook.tls.mode "existing-secret") .Values.webhook.tls.existingSecret.name }}
webhook.tls.existingSecret.name: {{ quote .Values.webhook.tls.existingSecret.name }}, while webhook.tls.mode is {{ .Values.webhook.tls.mode }}: must be empty, or the mode existing-secret
{{- end }}
{{- if and .Values.webhook.hosts (eq .Values.webhook.tls.mode "existing-secret") }}
webhook.hosts: set, while webhook.tls.mode is existing-secret: must be empty, because the Secret's certificate says for whom it is
{{- end }}
{{- if and (ne .Values.webhook.tls.mode "cert-manager") .Values.webhook.tls.certManager.issuerRef }}
webhook.tls.certManager.issuerRef: set, while webhook.tls.mode is {{ .Values.webhook.tls.mode }}: must be empty, or the mode cert-manager
{{- end }}
{{- end -}}

{{- define "mini-hpa.monitoringProblems" -}}
{{- if and .Values.metrics.serviceMonitor.enabled .Values.metrics.podMonitor.enabled }}
metrics.podMonitor.enabled: true, while metrics.serviceMonitor.enabled is: must be one of them, or all is counted twice
{{- end }}
{{- if and .Values.dashboard.enabled (not .Values.metrics.enabled) }}
dashboard.enabled: true, while metrics.enabled is false: must be false, because there is nothing to show
{{- end }}
{{- $monitors := dict "metrics.serviceMonitor" .Values.metrics.serviceMonitor.enabled "metrics.podMonitor" .Values.metrics.podMonitor.enabled "prometheusRule" .Values.prometheusRule.enabled -}}
{{- range $path, $enabled := $monitors -}}
{{- if and $enabled (not $.Values.metrics.enabled) }}
{{ $path }}.enabled: true, while metrics.enabled is false: must be false, because there is nothing to scrape
{{- end }}
{{- end }}
{{- end -}}
