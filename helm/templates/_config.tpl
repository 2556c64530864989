{{- /* The mounted configuration with the chart's own keys; impossible values are refused in one line. */}}
{{- define "tightrope.config" -}}
{{- include "tightrope.refuse" . }}
{{- $config := deepCopy .Values.config }}
{{- $server := mustMerge (default dict $config.server) (dict "host" "0.0.0.0") }}
{{- with .Values.secrets.control }}
{{- if .existingSecret }}
{{- $_ := set $server "control_token_file" (printf "/run/secrets/control/%s" .key) }}
{{- end }}
{{- end }}
{{- if .Values.gateway.grpc.enabled }}
{{- $_ := set $server "grpc_port" (int (include "tightrope.grpcPort" .)) }}
{{- end }}
{{- $_ := set $config "server" $server }}
{{- $_ := set $config "state" "/var/lib/tightrope" }}
{{- $labels := mustMerge (deepCopy (dig "alerts" "labels" dict $config)) (include "tightrope.installation" . | fromYaml) }}
{{- $_ := set $config "alerts" (mergeOverwrite (default dict $config.alerts) (dict "labels" $labels)) }}
{{- with .Values.secrets.sampling }}
{{- if .existingSecret }}
{{- $_ := set $config "sampling_secret_file" (printf "/run/secrets/sampling/%s" .key) }}
{{- end }}
{{- end }}
{{- if eq .Values.shape "cluster" }}
{{- with .Values.secrets.signing }}
{{- if .existingSecret }}
{{- $signing := mustMerge (dict "secret_file" (printf "/run/secrets/signing/%s" .key)) (default dict $config.bus.kafka.signing) }}
{{- if .previousKey }}
{{- $_ := set $signing "previous_secret_file" (printf "/run/secrets/signing/%s" .previousKey) }}
{{- end }}
{{- $_ := set $config.bus.kafka "signing" $signing }}
{{- end }}
{{- end }}
{{- with .Values.secrets.kafka }}
{{- if .passwordKey }}
{{- $_ := set $config.bus.kafka "password_file" (printf "/run/secrets/kafka/%s" .passwordKey) }}
{{- end }}
{{- if .sslPasswordKey }}
{{- $_ := set $config.bus.kafka "ssl_password_file" (printf "/run/secrets/kafka/%s" .sslPasswordKey) }}
{{- end }}
{{- end }}
{{- end }}
{{- toYaml $config }}
{{- end }}

{{- define "tightrope.refuse" -}}
{{- if not .Values.config.models }}
{{- fail "config.models: is empty; name at least one model, as in docs/configuration.md" }}
{{- end }}
{{- with .Values.metrics.grafana }}
{{- if .enabled }}
{{- range $key := list "address" "existingSecret" }}
{{- if not (get $.Values.metrics.grafana $key) }}
{{- fail (printf "metrics.grafana.%s: is empty; metrics.grafana.enabled needs it" $key) }}
{{- end }}
{{- end }}
{{- if $.Values.metrics.dashboards.enabled }}
{{- fail "metrics.grafana.enabled: metrics.dashboards.enabled is set too, and Grafana protects the sidecar's dashboards from changes; disable one of the two" }}
{{- end }}
{{- end }}
{{- end }}
{{- if and (dig "server" "grpc_port" nil .Values.config) (not .Values.gateway.grpc.enabled) }}
{{- fail "config.server.grpc_port: is set, but the pod does not expose it; set gateway.grpc.enabled, or leave it out" }}
{{- end }}
{{- if and .Values.gateway.grpc.enabled (eq (include "tightrope.port" .) (include "tightrope.grpcPort" .)) }}
{{- fail (printf "config.server.grpc_port: is %s, which is the HTTP port; use another one" (include "tightrope.grpcPort" .)) }}
{{- end }}
{{- if and .Values.secrets.signing.existingSecret (ne .Values.shape "cluster") }}
{{- fail "secrets.signing.existingSecret: is set, but the embedded shape has no bus; set shape: cluster, or leave it out" }}
{{- end }}
{{- if and .Values.secrets.signing.previousKey (not .Values.secrets.signing.existingSecret) }}
{{- fail "secrets.signing.previousKey: is set without existingSecret; name the secret that has both keys" }}
{{- end }}
{{- if eq .Values.shape "cluster" }}
{{- include "tightrope.refuse.cluster" . }}
{{- else if .Values.config.bus }}
{{- fail "config.bus: the embedded shape has no bus; set shape: cluster, or leave it out" }}
{{- else if gt (int (dig "server" "processes" 1 .Values.config)) 1 }}
{{- fail "config.server.processes: the embedded shape is one process; set shape: cluster, or leave it out" }}
{{- end }}
{{- end }}

{{- define "tightrope.refuse.cluster" -}}
{{- if not (dig "bus" "kafka" "servers" nil .Values.config) }}
{{- fail "config.bus.kafka.servers: is missing; shape: cluster needs Kafka" }}
{{- end }}
{{- if dig "reports" "every_seconds" nil .Values.config }}
{{- fail "config.reports.every_seconds: only the embedded shape makes drift reports; leave it out" }}
{{- end }}
{{- $partitions := int (include "tightrope.partitions" .) }}
{{- $counts := dict "judge.replicas" .Values.judge.replicas }}
{{- if .Values.worker.keda.enabled }}
{{- $_ := set $counts "worker.keda.maxReplicas" .Values.worker.keda.maxReplicas }}
{{- else }}
{{- $_ := set $counts "worker.replicas" .Values.worker.replicas }}
{{- end }}
{{- range $key, $replicas := $counts }}
{{- if gt (int $replicas) $partitions }}
{{- fail (printf "%s: is %d, but config.bus.kafka.partitions is %d; more replicas would have no work" $key (int $replicas) $partitions) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* The default is that of docs/configuration.md. */}}
{{- define "tightrope.partitions" -}}
{{- dig "bus" "kafka" "partitions" 6 .Values.config }}
{{- end }}

{{- define "tightrope.port" -}}
{{- dig "server" "port" 8080 .Values.config }}
{{- end }}

{{- define "tightrope.grpcPort" -}}
{{- dig "server" "grpc_port" 8001 .Values.config }}
{{- end }}
