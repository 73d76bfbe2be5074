{{/* Annotations of the webhook's configuration: those that are needed, unless a value says otherwise. */}}
{{- define "mini-hpa.webhookAnnotations" -}}
{{- $needed := dict "admissions.enforcer/disabled" "true" -}}{{/* AKS would write to the selectors */}}
{{- if eq .Values.webhook.tls.mode "cert-manager" -}}
{{- $_ := set $needed "cert-manager.io/inject-ca-from" (printf "%s/%s-webhook" (include "mini-hpa.namespace" .) (include "mini-hpa.fullname" .)) -}}
{{- end -}}
{{- merge (deepCopy .Values.webhook.annotations) $needed | toYaml -}}
{{- end -}}

{{/* Names and addresses of the webhook, as a cert-manager Certificate has them. */}}
{{- define "mini-hpa.certificateNames" -}}
{{- $service := printf "%s-webhook.%s.svc" (include "mini-hpa.fullname" .) (include "mini-hpa.namespace" .) -}}
{{- $names := list $service (printf "%s.cluster.local" $service) -}}
{{- $addresses := list -}}
{{- range .Values.webhook.hosts -}}
{{- if regexMatch "^[0-9.]+$|:" . -}}
{{- $addresses = append $addresses . -}}
{{- else -}}
{{- $names = append $names . -}}
{{- end -}}
{{- end -}}
dnsNames:
{{ toYaml $names }}
{{- with $addresses }}
ipAddresses:
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/*
A cert-manager Certificate's key. That of the CA stays (Never): the first leaf of a new CA puts that CA into the caBundle at once, and pods serve
their old leaf until the kubelet has brought them the new one; with the same key the new CA's certificate verifies both. That of a leaf is new
each time (Always).
*/}}
{{- define "mini-hpa.privateKey" -}}
privateKey:
  algorithm: ECDSA
  size: 256
  rotationPolicy: {{ . }}
{{- end -}}
