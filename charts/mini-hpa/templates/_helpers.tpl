{{/* The name of all objects. At most 52 characters, so that with "-webhook-ca" it is still a DNS label. */}}
{{- define "mini-hpa.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "mini-hpa.namespace" -}}
{{- .Release.Namespace -}}
{{- end -}}

{{/* The labels of every object. */}}
{{- define "mini-hpa.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "mini-hpa.names" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "mini-hpa.names" -}}
app.kubernetes.io/name: {{ .Values.nameOverride | default .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* By which the controller's pods are found, and no others: those of the test neither. They never change. */}}
{{- define "mini-hpa.selectorLabels" -}}
{{ include "mini-hpa.names" . }}
app.kubernetes.io/component: controller
{{- end -}}

{{- define "mini-hpa.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (include "mini-hpa.fullname" .) -}}
{{- end -}}

{{/* The image. What is before the first slash is a registry if it looks like a host, as container runtimes have it. */}}
{{- define "mini-hpa.image" -}}
{{- $repository := .Values.image.repository -}}
{{- with .Values.global.imageRegistry -}}
{{- $repository = printf "%s/%s" (trimSuffix "/" .) (regexReplaceAll "^(localhost|[^/]*[.:][^/]*)/" $repository "") -}}
{{- end -}}
{{- if or .Values.image.digest (include "mini-hpa.releasedDigest" .) -}}
{{- printf "%s@%s" $repository (.Values.image.digest | default (include "mini-hpa.releasedDigest" .)) -}}
{{- else -}}
{{- printf "%s:%s" $repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* The repository in which releases publish images. */}}
{{- define "mini-hpa.releasedRepository" -}}
ghcr.io/mini-hpa/mini-hpa
{{- end -}}

{{/* The digest of the image that this chart was released with, or nothing: where another image is asked for, or in a chart that is no release. */}}
{{- define "mini-hpa.releasedDigest" -}}
{{- if and (eq .Values.image.repository (include "mini-hpa.releasedRepository" .)) (not .Values.image.tag) -}}
{{- index .Chart.Annotations "mini-hpa/image-digest" -}}
{{- end -}}
{{- end -}}

{{/* Where the test creates Deployments by dry run: in a namespace about which the webhook is asked, and which every cluster has. */}}
{{- define "mini-hpa.testsNamespace" -}}
{{- $fallback := ternary "kube-public" "default" (eq .Release.Namespace "default") -}}
{{- .Values.tests.namespace | default .Values.controller.watchNamespace | default $fallback -}}
{{- end -}}

{{/* "true" if mini-hpa makes its certificates itself, else nothing. */}}
{{- define "mini-hpa.ownCertificates" -}}
{{- if and .Values.webhook.enabled (eq .Values.webhook.tls.mode "self-signed") }}true{{ end -}}
{{- end -}}

{{/* The Secret that somebody else puts the webhook's certificate into, or nothing. */}}
{{- define "mini-hpa.certificateSecret" -}}
{{- if and .Values.webhook.enabled (eq .Values.webhook.tls.mode "cert-manager") -}}
{{- include "mini-hpa.fullname" . }}-webhook-tls
{{- else if and .Values.webhook.enabled (eq .Values.webhook.tls.mode "existing-secret") -}}
{{- .Values.webhook.tls.existingSecret.name -}}
{{- end -}}
{{- end -}}

{{/* "true" if an object of an optional API is to be rendered. Takes root, mode (a renderMode), api and value (the mode's path). */}}
{{- define "mini-hpa.renders" -}}
{{- if or (eq .mode "alwaysRender") (.root.Capabilities.APIVersions.Has .api) -}}
true
{{- else if eq .mode "failIfMissing" -}}
{{- fail (printf "%s: failIfMissing, and the cluster does not serve %s: install what does, or set skipIfMissing or alwaysRender" .value .api) -}}
{{- end -}}
{{- end -}}

{{/* A matchExpression for the namespaces about which the webhook is asked. */}}
{{- define "mini-hpa.guardedNamespaces" -}}
key: kubernetes.io/metadata.name
{{- with .Values.controller.watchNamespace }}
operator: In
values: [{{ . }}]
{{- else }}
operator: NotIn
values: {{ append (.Values.webhook.excludedNamespaces | default list) .Release.Namespace | uniq | toJson }}
{{- end }}
{{- end -}}
