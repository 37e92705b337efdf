{{- /* The namespace's defaults for clusters, as a part of a DaskCluster. */ -}}
{{- define "scoremill.clusters" -}}
{{- $clusters := .Values.clusters }}
{{- $image := include "scoremill.image" (merge (dict "tag" (default .Chart.AppVersion .Values.image.tag)) .Values.image) }}
{{- $template := dict }}
{{- range $part := list "scheduler" "worker" }}
{{- $settings := index $clusters $part }}
{{- $container := dict "name" $part "image" $image "imagePullPolicy" $.Values.image.pullPolicy
      "resources" $settings.resources "securityContext" $clusters.securityContext }}
{{- $pod := dict "imagePullSecrets" $.Values.imagePullSecrets "securityContext" $clusters.podSecurityContext
      "nodeSelector" $settings.nodeSelector "tolerations" $settings.tolerations "affinity" $settings.affinity
      "priorityClassName" $settings.priorityClassName }}
{{- if eq $part "worker" }}
{{- $_ := set $container "env" $clusters.env }}
{{- with $clusters.secretName }}{{ $_ := set $container "envFrom" (list (dict "secretRef" (dict "name" .))) }}{{ end }}
{{- $_ := set $pod "serviceAccountName" (include "scoremill.workerAccount" $) }}
{{- end }}
{{- range $each := list $container $pod }}
{{- range $key, $value := $each }}{{ if not $value }}{{ $_ := unset $each $key }}{{ end }}{{ end }}
{{- end }}
{{- $_ := set $template $part (dict "spec" (set $pod "containers" (list $container))) }}
{{- end }}
{{- dict "spec" $template | toYaml }}
{{- end }}
