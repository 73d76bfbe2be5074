{{/* The controller's arguments. Of its settings, those that are not the program's defaults. */}}
{{- define "mini-hpa.args" -}}
- controller
{{- with .Values.controller.watchNamespace }}
- {{ printf "--namespace=%s" . | quote }}
{{- end }}
{{- with .Values.controller.class }}
- {{ printf "--class=%s" . | quote }}
{{- end }}
{{- with .Values.controller.kinds }}
- {{ printf "--kinds=%s" (join "," .) | quote }}
{{- end }}
{{- if .Values.controller.leaderElection }}
- {{ printf "--leader-elect-resource-name=%s" (include "mini-hpa.fullname" .) | quote }}
{{- else }}
- --leader-elect=false
{{- end }}
{{- $controller := .Values.controller }}
{{- range list
      (list "sync-period" $controller.syncPeriod "15s")
      (list "tolerance" $controller.tolerance "0.1")
      (list "downscale-stabilization" $controller.downscaleStabilization "5m")
      (list "default-warm-up" $controller.defaultWarmUp "0s")
      (list "metrics-resolution" $controller.metricsResolution "15s")
      (list "workers" $controller.workers "100")
      (list "kube-api-qps" $controller.kubeApiQPS "-1")
      (list "kube-api-burst" $controller.kubeApiBurst "200")
      (list "log-level" $controller.logLevel "info")
      (list "log-format" $controller.logFormat "json")
      (list "metrics-bind-address" (ternary (printf ":%v" .Values.metrics.port) "0" .Values.metrics.enabled) ":8080")
      (list "health-probe-bind-address" (printf ":%v" .Values.healthPort) ":8081") }}
{{- include "mini-hpa.flag" . }}
{{- end }}
{{- include "mini-hpa.secureArgs" . }}
{{- if .Values.webhook.enabled }}
{{- include "mini-hpa.webhookArgs" . }}
{{- end }}
{{- if .Values.sources }}
- --sources=/etc/mini-hpa/sources.d/sources.yaml
{{- end }}
{{- if .Values.recording.enabled }}
- --record=/var/lib/mini-hpa/traces
{{- include "mini-hpa.flag" (list "record-limit" .Values.recording.limit "1024") }}
{{- end }}
{{- if .Values.activator.enabled }}
{{- include "mini-hpa.activatorArgs" . }}
{{- end }}
{{- range .Values.controller.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end -}}

{{/* A flag, unless its value is the program's default or was unset. Takes a list of name, value and default. */}}
{{- define "mini-hpa.flag" -}}
{{- $value := index . 1 -}}
{{- if not (or (kindIs "invalid" $value) (eq (toString $value) (index . 2))) }}
- {{ printf "--%s=%v" (index . 0) $value | quote }}
{{- end }}
{{- end -}}

{{- define "mini-hpa.webhookArgs" }}
- {{ printf "--webhook-bind-address=:%v" .Values.webhook.port | quote }}
{{- include "mini-hpa.flag" (list "shutdown-delay-duration" (printf "%vs" .Values.webhook.drainSeconds) "10s") }}
{{- if include "mini-hpa.ownCertificates" . }}
- {{ printf "--webhook-configuration=%s" (include "mini-hpa.fullname" .) | quote }}
- {{ printf "--webhook-service=%s-webhook" (include "mini-hpa.fullname" .) | quote }}
- {{ printf "--webhook-ca-secret=%s-webhook-ca" (include "mini-hpa.fullname" .) | quote }}
{{- with .Values.webhook.hosts }}
- {{ printf "--webhook-hosts=%s" (join "," .) | quote }}
{{- end }}
{{- include "mini-hpa.flag" (list "webhook-ca-duration" .Values.webhook.tls.caDuration "8760h") }}
{{- include "mini-hpa.flag" (list "webhook-certificate-duration" .Values.webhook.tls.certificateDuration "168h") }}
{{- else }}
- --tls-cert-file=/etc/mini-hpa/tls/tls.crt
- --tls-private-key-file=/etc/mini-hpa/tls/tls.key
{{- end }}
{{- end -}}

{{/* "true" if metrics are served by TLS to those who may read them, else nothing. */}}
{{- define "mini-hpa.secureMetrics" -}}
{{- if and .Values.metrics.enabled .Values.metrics.secure.enabled }}true{{ end -}}
{{- end -}}

{{- define "mini-hpa.secureArgs" }}
{{- if include "mini-hpa.secureMetrics" . }}
- --metrics-secure
{{- if .Values.metrics.secure.secretName }}
- --metrics-cert-file=/etc/mini-hpa/metrics-tls/tls.crt
- --metrics-private-key-file=/etc/mini-hpa/metrics-tls/tls.key
{{- end }}
{{- end }}
{{- end -}}

{{/* The mount and the volume of the certificate of metrics, if it is somebody's. */}}
{{- define "mini-hpa.secureMount" }}
{{- if and (include "mini-hpa.secureMetrics" .) .Values.metrics.secure.secretName }}
- name: metrics-tls
  mountPath: /etc/mini-hpa/metrics-tls
  readOnly: true
{{- end }}
{{- end -}}

{{- define "mini-hpa.secureVolume" }}
{{- if and (include "mini-hpa.secureMetrics" .) .Values.metrics.secure.secretName }}
- name: metrics-tls
  secret:
    secretName: {{ .Values.metrics.secure.secretName }}
{{- end }}
{{- end -}}

{{- define "mini-hpa.env" -}}
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- with include "mini-hpa.goMemLimit" . }}
- name: GOMEMLIMIT
  value: {{ . | quote }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/*
80 % of the memory limit, in bytes: the Go runtime wants a number, and the downward API can hand over the limit itself only,
all of which the runtime would then fill before it collects garbage. The rest is for what it does not count: stacks of the kernel,
the binary. Nothing without a limit, or where extraEnv has the variable.
*/}}
{{- define "mini-hpa.goMemLimit" -}}
{{- $set := false -}}
{{- range .Values.extraEnv }}{{ if eq .name "GOMEMLIMIT" }}{{ $set = true }}{{ end }}{{ end -}}
{{- $limit := include "mini-hpa.memoryLimit" . -}}
{{- if and (not $set) (regexMatch (include "mini-hpa.quantity" .) $limit) -}}
{{- $number := regexFind "^[0-9]+([.][0-9]*)?([eE][0-9]+)?" $limit -}}
{{- $unit := trimPrefix $number $limit -}}
{{- $bytes := dict "" 1.0 "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 -}}
{{- mulf (float64 $number) (get $bytes $unit) 0.8 | int64 -}}
{{- end -}}
{{- end -}}

{{/* The memory limit as it was written, or nothing; as a number it may be written in bytes. */}}
{{- define "mini-hpa.memoryLimit" -}}
{{- $limit := dig "limits" "memory" "" (.Values.resources | default dict) -}}
{{- kindIs "float64" $limit | ternary (printf "%.0f" $limit) (toString $limit) -}}
{{- end -}}

{{/* What a memory limit looks like, as a regular expression: a Kubernetes quantity up to terabytes. */}}
{{- define "mini-hpa.quantity" -}}
^[0-9]+([.][0-9]*)?([eE][0-9]+|m|k|M|G|T|Ki|Mi|Gi|Ti)?$
{{- end -}}

{{/* A token that expires, where the ServiceAccount's own is not mounted: what the kubelet would mount otherwise. */}}
{{- define "mini-hpa.tokenVolume" -}}
- name: token
  projected:
    sources:
    - serviceAccountToken:
        path: token
        expirationSeconds: 3607
    - configMap:
        name: kube-root-ca.crt
        items:
        - key: ca.crt
          path: ca.crt
    - downwardAPI:
        items:
        - path: namespace
          fieldRef:
            apiVersion: v1
            fieldPath: metadata.namespace
{{- end -}}

{{- define "mini-hpa.tokenMount" -}}
- name: token
  mountPath: /var/run/secrets/kubernetes.io/serviceaccount
  readOnly: true
{{- end -}}

{{/* The constraints, each for the controller's pods, or those with the labels in "of", unless it says otherwise. */}}
{{- define "mini-hpa.spread" -}}
{{- $selector := dict "labelSelector" (dict "matchLabels" (.of | default (include "mini-hpa.selectorLabels" .) | fromYaml)) -}}
{{- range .Values.topologySpreadConstraints }}
- {{ (hasKey . "labelSelector" | ternary . (merge (deepCopy .) $selector)) | toYaml | nindent 2 | trim }}
{{- end }}
{{- end -}}

{{/*
A volume of one's own may be root's, as a new one is: it is given to the group of the pod, unless another one is named. Where the group is not
chosen here, as on OpenShift, neither is this one.
*/}}
{{- define "mini-hpa.podSecurityContext" -}}
{{- $own := .Values.podSecurityContext | default dict -}}
{{- if and .Values.recording.enabled .Values.recording.volume $own.runAsGroup -}}
{{- $own = merge (deepCopy $own) (dict "fsGroup" $own.runAsGroup "fsGroupChangePolicy" "OnRootMismatch") -}}
{{- end -}}
{{- toYaml $own -}}
{{- end -}}

{{- define "mini-hpa.mounts" -}}
{{- if not .Values.serviceAccount.automount }}
{{ include "mini-hpa.tokenMount" . }}
{{- end }}
{{- if include "mini-hpa.certificateSecret" . }}
- name: tls
  mountPath: /etc/mini-hpa/tls
  readOnly: true
{{- end }}
{{- include "mini-hpa.secureMount" . }}
{{- if .Values.sources }}
- name: sources
  mountPath: /etc/mini-hpa/sources.d
  readOnly: true
{{- end }}
{{- range .Values.sourceSecrets }}
- name: {{ printf "source-%s" (sha256sum . | trunc 10) }}
  mountPath: /etc/mini-hpa/sources/{{ . }}
  readOnly: true
{{- end }}
{{- if .Values.recording.enabled }}
- name: traces
  mountPath: /var/lib/mini-hpa/traces
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "mini-hpa.volumes" -}}
{{- if not .Values.serviceAccount.automount }}
{{ include "mini-hpa.tokenVolume" . }}
{{- end }}
{{- with include "mini-hpa.certificateSecret" . }}
- name: tls
  secret:
    secretName: {{ . }}
{{- end }}
{{- include "mini-hpa.secureVolume" . }}
{{- if .Values.sources }}
- name: sources
  configMap:
    name: {{ include "mini-hpa.fullname" . }}-sources
{{- end }}
{{- range .Values.sourceSecrets }}
- name: {{ printf "source-%s" (sha256sum . | trunc 10) }} # a Secret's name may be longer than a volume's
  secret:
    secretName: {{ . }}
{{- end }}
{{- if .Values.recording.enabled }}
- name: traces
  {{- with .Values.recording.volume }}
  {{- toYaml . | nindent 2 }}
  {{- else }}
  emptyDir:
    sizeLimit: {{ add (.Values.recording.limit | int) 64 }}Mi # the program keeps its limit itself: beyond this one the kubelet would end the pod
  {{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}
