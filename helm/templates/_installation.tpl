{{- /* The labels of this installation, by which several under one Prometheus are told apart. */}}
{{- define "tightrope.installation" -}}
{{- mergeOverwrite (dict "namespace" .Release.Namespace) .Values.metrics.labels | toYaml }}
{{- end }}

{{- /* Their names beside the two that dashboards/ has. */}}
{{- define "tightrope.addedLabels" -}}
{{- omit .Values.metrics.labels "cluster" "namespace" | keys | sortAlpha | toYaml }}
{{- end }}

{{- /* Scraped series get them; the operator adds the namespace. */}}
{{- define "tightrope.relabelings" -}}
{{- with omit .Values.metrics.labels "namespace" }}
relabelings:
  {{- range $name, $value := . }}
  - {action: replace, targetLabel: {{ $name }}, replacement: {{ $value | quote }}}
  {{- end }}
{{- end }}
{{- end }}

{{- /* A file of rules, which keep the labels and select this installation: as `tightrope dashboards render --label`. */}}
{{- define "tightrope.rules" -}}
{{- $kept := "cluster, namespace" }}
{{- $link := "var-namespace={{ $labels.namespace }}" }}
{{- $looked := "namespace=%q" }}
{{- $values := "$labels.cluster $labels.namespace" }}
{{- $matchers := list }}
{{- range $name, $value := include "tightrope.installation" .root | fromYaml }}
{{- $matchers = append $matchers (printf "%s=%q" $name $value) }}
{{- end }}
{{- range include "tightrope.addedLabels" .root | fromYamlArray }}
{{- $kept = printf "%s, %s" $kept . }}
{{- $link = printf "%s&var-%s={{ $labels.%s }}" $link . . }}
{{- $looked = printf "%s, %s=%%q" $looked . }}
{{- $values = printf "%s $labels.%s" $values . }}
{{- end }}
{{- include "tightrope.addressed" .
  | replace "cluster, namespace" $kept
  | replace "var-namespace={{ $labels.namespace }}" $link
  | replace "namespace=%q" $looked
  | replace "$labels.cluster $labels.namespace" $values
  | replace "namespace=~\".*\"" (join ", " $matchers) }}
{{- end }}

{{- /* A dashboard that keeps the labels, with a variable for each: as `tightrope dashboards apply --label`. */}}
{{- define "tightrope.dashboard" -}}
{{- $text := include "tightrope.addressed" . }}
{{- range $name := include "tightrope.addedLabels" .root | fromYamlArray }}
{{- $title := title $name }}
{{- $text = $text
  | replace "namespace=\\\"$namespace\\\"" (printf "namespace=\\\"$namespace\\\", %s=\\\"$%s\\\"" $name $name)
  | replace "namespace=~\\\"$namespace\\\"" (printf "namespace=~\\\"$namespace\\\", %s=~\\\"$%s\\\"" $name $name)
  | replace "var-namespace=${__data.fields.Namespace}" (printf "var-namespace=${__data.fields.Namespace}&var-%s=${__data.fields.%s}" $name $title)
  | replace "cluster, namespace" (printf "cluster, namespace, %s" $name)
  | replace "{{cluster}} {{namespace}}" (printf "{{cluster}} {{namespace}} {{%s}}" $name)
  | replace "\"namespace:$namespace\"" (printf "\"namespace:$namespace\", \"%s:$%s\"" $name $name)
  | replace "\"namespace\": \"Namespace\"" (printf "\"namespace\": \"Namespace\", %q: %q" $name $title) }}
{{- $board := fromJson $text }}
{{- $variables := list }}
{{- range dig "templating" "list" list $board }}
{{- $variables = append $variables . }}
{{- if eq .name "namespace" }}
{{- $query := printf "label_values(tightrope_requests_total{namespace%s\"$namespace\"}, %s)" (ternary "=~" "=" .multi) $name }}
{{- $variables = append $variables (mergeOverwrite (deepCopy .) (dict "name" $name "label" $title "definition" $query "query" (dict "query" $query "refId" $name))) }}
{{- end }}
{{- end }}
{{- if $variables }}
{{- $_ := set $board.templating "list" $variables }}
{{- $text = toPrettyJson $board }}
{{- end }}
{{- end }}
{{- $text }}
{{- end }}
