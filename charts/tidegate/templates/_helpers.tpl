{{/* The name of everything the release makes. */}}
{{- define "tidegate.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Cluster-scoped names carry the namespace, so that two releases of one name don't collide; but
     for a release called tidegate, whose names people type. */}}
{{- define "tidegate.clusterName" -}}
{{- if eq (include "tidegate.fullname" .) "tidegate" -}}
tidegate
{{- else -}}
{{- printf "%s-%s" (include "tidegate.fullname" .) .Release.Namespace | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "tidegate.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "tidegate.labels" -}}
{{ include "tidegate.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: tidegate
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "tidegate.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "tidegate.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* The accounts that the policies know as operators, as a JSON list. */}}
{{- define "tidegate.operators" -}}
{{- $own := printf "%s:%s" .Release.Namespace (include "tidegate.serviceAccount" .) -}}
{{- $accounts := list -}}
{{- range prepend .Values.policies.operators $own | uniq -}}
{{- $accounts = append $accounts (printf "system:serviceaccount:%s" .) -}}
{{- end -}}
{{- toJson $accounts -}}
{{- end -}}

{{/* Whether votes that nobody is known to have checked are ignored. */}}
{{- define "tidegate.requireVerifiedVotes" -}}
{{- $asked := .Values.policies.requireVerifiedVotes -}}
{{- ternary .Values.policies.install $asked (kindIs "invalid" $asked) -}}
{{- end -}}

{{- define "tidegate.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{/* Namespaces whose Workflows are not run, as a JSON list. */}}
{{- define "tidegate.excluded" -}}
{{- $names := prepend .Values.excludedNamespaces .Release.Namespace | uniq -}}
{{- range $names -}}
{{- if has . $.Values.watchNamespaces -}}
{{- fail (printf "namespace %s can't be watched and excluded: see watchNamespaces and excludedNamespaces (the release's own namespace is always excluded)" .) -}}
{{- end -}}
{{- end -}}
{{- toJson $names -}}
{{- end -}}

{{/* The name of the webhook's Service, and of the Secret that the chart makes for it. */}}
{{- define "tidegate.webhook" -}}
{{ include "tidegate.fullname" . }}-webhook
{{- end -}}

{{/* The Secret with the webhook's certificate. Each way has its own: none takes the other's away. */}}
{{- define "tidegate.webhookSecret" -}}
{{ include "tidegate.webhook" . }}{{ if .Values.webhook.certManager.enabled }}-tls{{ end }}
{{- end -}}

{{/* Under which names API servers know the webhook, as a JSON list. */}}
{{- define "tidegate.webhookNames" -}}
{{- $host := printf "%s.%s" (include "tidegate.webhook" .) .Release.Namespace -}}
{{- list (printf "%s.svc" $host) $host | toJson -}}
{{- end -}}

{{/* How Prometheus asks a pod. Labels of the metrics win: theirs are the Workflows' namespaces. */}}
{{- define "tidegate.endpoint" -}}
port: metrics
honorLabels: true
interval: {{ .interval }}
{{- with .scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- with .relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* What the operator may do where Workflows run; the README of the chart says why. */}}
{{- define "tidegate.rules" -}}
- apiGroups: [tidegate.dev]
  resources: [workflows]
  verbs: [get, list, watch, delete]
- apiGroups: [tidegate.dev]
  resources: [workflows/status]
  verbs: [patch]
- apiGroups: [tidegate.dev]
  resources: [workflows/finalizers]
  verbs: [update]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch, delete]
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, create, patch]
- apiGroups: [""]
  resources: [events]
  verbs: [list, create, patch]
{{- end -}}
