{{- define "tightrope.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "tightrope.fullname" -}}
{{- $name := include "tightrope.name" . }}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- default $full .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "tightrope.serviceAccount" -}}
{{- default (ternary (include "tightrope.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name }}
{{- end }}

{{- /* The labels that select a component's pods. Do not change them: a Deployment's selector is immutable. */}}
{{- define "tightrope.selector" -}}
app.kubernetes.io/name: {{ include "tightrope.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- /* The alerts select Tightrope by Prometheus' job, which is the label tightrope/job. */}}
{{- define "tightrope.podLabels" -}}
{{ include "tightrope.selector" . }}
app.kubernetes.io/part-of: tightrope
tightrope/job: tightrope-{{ .component }}
{{- end }}

{{- define "tightrope.labels" -}}
{{ include "tightrope.podLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* The component that answers requests. */}}
{{- define "tightrope.front" -}}
{{- ternary "embedded" "gateway" (eq .Values.shape "embedded") }}
{{- end }}

{{- define "tightrope.image" -}}
{{- $image := ternary .Values.image.reports .Values.image (not (not (dig "reports" "every_seconds" "" .Values.config))) }}
{{- if $image.digest }}
{{- printf "%s@%s" $image.repository $image.digest }}
{{- else }}
{{- printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) }}
{{- end }}
{{- end }}
