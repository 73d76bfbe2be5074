{{/* By which the activators' pods are found. They never change. */}}
{{- define "mini-hpa.activatorLabels" -}}
{{ include "mini-hpa.names" . }}
app.kubernetes.io/component: activator
{{- end -}}

{{- define "mini-hpa.activatorName" -}}
{{ include "mini-hpa.fullname" . }}-activator
{{- end -}}

{{/* Of the range of ports the first one, and the last one. */}}
{{- define "mini-hpa.firstPort" -}}{{ splitList "-" .Values.activator.ports | first }}{{- end -}}
{{- define "mini-hpa.lastPort" -}}{{ splitList "-" .Values.activator.ports | last }}{{- end -}}

{{/* A duration in whole seconds, rounded up. */}}
{{- define "mini-hpa.seconds" -}}
{{- div (add (include "mini-hpa.milliseconds" . | int64) 999) 1000 -}}
{{- end -}}

{{/*
How long an activator that was told to end may take: slices stop naming it (30 s at most), every node learns of that (propagation), who waits has the longest hold that a line may ask for, what is
at a pod has its time (drain), and 5 s.
*/}}
{{- define "mini-hpa.activatorGrace" -}}
{{- add (include "mini-hpa.seconds" .Values.activator.propagation | int64) 30 600 (include "mini-hpa.seconds" .Values.activator.drain | int64) 5 -}}
{{- end -}}

{{/* The controller's arguments about activators. */}}
{{- define "mini-hpa.activatorArgs" }}
- --activator
- {{ printf "--activator-selector=%s" (include "mini-hpa.activatorLabels" . | fromYaml | toJson | trimAll "{}" | replace "\"" "" | replace ":" "=") | quote }}
- {{ printf "--activator-ca-secret=%s-ca" (include "mini-hpa.activatorName" .) | quote }}
- {{ printf "--activator-tls-secret=%s-tls" (include "mini-hpa.activatorName" .) | quote }}
{{- include "mini-hpa.flag" (list "activator-ports" .Values.activator.ports "20000-29999") }}
{{- include "mini-hpa.flag" (list "activator-propagation" .Values.activator.propagation "10s") }}
{{- end -}}

{{/* The activators' own arguments. */}}
{{- define "mini-hpa.activatorsArgs" -}}
- activator
- --tls-dir=/etc/mini-hpa/activator-tls
{{- with .Values.controller.watchNamespace }}
- {{ printf "--namespace=%s" . | quote }}
{{- end }}
{{- range list
      (list "activator-propagation" .Values.activator.propagation "10s")
      (list "activator-drain" .Values.activator.drain "5m")
      (list "log-level" .Values.controller.logLevel "info")
      (list "log-format" .Values.controller.logFormat "json")
      (list "metrics-bind-address" (ternary (printf ":%v" .Values.metrics.port) "0" .Values.metrics.enabled) ":8080")
      (list "health-probe-bind-address" (printf ":%v" .Values.healthPort) ":8081") }}
{{- include "mini-hpa.flag" . }}
{{- end }}
{{- include "mini-hpa.secureArgs" . }}
{{- end -}}

{{- define "mini-hpa.activatorProblems" -}}
{{- $first := include "mini-hpa.firstPort" . | int -}}
{{- $last := include "mini-hpa.lastPort" . | int -}}
{{- if or (ge $first $last) (lt $first 1024) (gt $last 65535) (ne (mod $first 2) 0) (ne (mod $last 2) 1) }}
activator.ports: {{ quote .Values.activator.ports }}: must be two ports from 1024 to 65535, an even one and a larger odd one, such as 20000-29999
{{- end }}
{{- range $path, $port := dict "healthPort" .Values.healthPort "metrics.port" .Values.metrics.port }}
{{- if and (ge (int $port) $first) (le (int $port) $last) }}
{{ $path }}: {{ int $port }}, which is among activator.ports ({{ $.Values.activator.ports }}): must be another port
{{- end }}
{{- end }}
{{- include "mini-hpa.durationProblem" (list "activator.propagation" .Values.activator.propagation "1s" "2m") -}}
{{- include "mini-hpa.durationProblem" (list "activator.drain" .Values.activator.drain "0s" "24h") -}}
{{- with .Values.controller.class }}
activator.enabled: true, while controller.class is {{ quote . }}: must be false, because only the installation without a class may lead requests of Services to its activators
{{- end }}
{{- if not .Values.controller.leaderElection }}
activator.enabled: true, while controller.leaderElection is false: must be false, or there is nobody whom activators could tell from others
{{- end }}
{{- end -}}
