{{- define "scoremill.fullname" -}}
{{- $name := .Release.Name -}}
{{- if not (contains "scoremill" $name) }}{{ $name = printf "%s-scoremill" $name }}{{ end -}}
{{- default $name .Values.fullnameOverride | trunc 53 | trimSuffix "-" -}}
{{- end }}

{{- define "scoremill.labels" -}}
app.kubernetes.io/name: scoremill
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: scoremill
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "scoremill.driverAccount" -}}
{{ .Values.serviceAccounts.driver.name | default (printf "%s-driver" (include "scoremill.fullname" .)) }}
{{- end }}

{{- define "scoremill.workerAccount" -}}
{{ .Values.serviceAccounts.worker.name | default (printf "%s-worker" (include "scoremill.fullname" .)) }}
{{- end }}

{{- define "scoremill.image" -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end }}
{{- end }}

{{- /* The account of dask-kubernetes' operator, as its chart names it. */ -}}
{{- define "scoremill.daskAccount" -}}
{{- include "dask_kubernetes_operator.serviceAccountName" (dict
      "Values" (index .Values "dask-kubernetes-operator") "Release" .Release
      "Chart" (dict "Name" "dask-kubernetes-operator")) -}}
{{- end }}

{{- /* Service accounts with rights, which jobs cannot use. */ -}}
{{- define "scoremill.reservedAccounts" -}}
- {{ include "scoremill.operatorName" . }}
- {{ include "scoremill.driverAccount" . }}
{{- if index .Values "dask-kubernetes-operator" "enabled" }}
- {{ include "scoremill.daskAccount" . }}
{{- end }}
{{- end }}

{{- /* Service accounts that jobs can use, as NAMESPACE/NAME. */ -}}
{{- define "scoremill.allowedAccounts" -}}
{{- range append .Values.operator.serviceAccounts (include "scoremill.workerAccount" .) | uniq }}
- {{ contains "/" . | ternary . (printf "%s/%s" $.Release.Namespace .) }}
{{- end }}
{{- end }}

{{- /* What pods reach in addition to each other and DNS; `closed` is a list of further CIDRs that they cannot reach. */ -}}
{{- define "scoremill.egress" -}}
{{- $policies := .root.Values.networkPolicies }}
{{- $metadata := list "169.254.0.0/16" "168.63.129.16/32" "100.100.100.200/32" "fe80::/10" "fd00:ec2::/32" "fd20:ce::254/128" }}
{{- $refused := concat (ternary (list) $metadata $policies.metadata) .closed }}
{{- $peers := list }}
{{- range $cidr := list "0.0.0.0/0" "::/0" }}
{{- $except := list }}
{{- range $refused }}{{ if eq (contains ":" .) (contains ":" $cidr) }}{{ $except = append $except . }}{{ end }}{{ end }}
{{- $peers = append $peers (dict "ipBlock" (merge (dict "cidr" $cidr) ($except | empty | ternary (dict) (dict "except" $except)))) }}
{{- end }}
{{- /* Some network plugins match no pods by address. The API server can be a pod in kube-system. */}}
{{- $peers = append $peers (dict "namespaceSelector" (dict "matchExpressions" (list (dict
      "key" "kubernetes.io/metadata.name" "operator" "NotIn" "values" (list "kube-system"))))) }}
{{- $policies.egress | default (list (dict "to" $peers)) | toYaml }}
{{- end }}

{{- /* The operator's arguments for the network of jobs, equal to this namespace's policies. */ -}}
{{- define "scoremill.networkArguments" -}}
{{- with .Values.networkPolicies }}
{{- if not .enabled }}
- --egress=[{}]
{{- else if .egress }}
- --egress={{ toJson .egress }}
{{- end }}
{{- if .metadata }}
- --allow-metadata
{{- end }}
{{- range .apiServer }}
- --api-server={{ . }}
{{- end }}
{{- range .apiServerPorts }}
- --api-server-port={{ . }}
{{- end }}
{{- end }}
{{- if index .Values "dask-kubernetes-operator" "enabled" }}
- --dask-namespace=$(POD_NAMESPACE)
{{- else if .Values.networkPolicies.daskNamespace }}
- --dask-namespace={{ .Values.networkPolicies.daskNamespace }}
{{- end }}
{{- end }}

{{- /* Kind of the roles: cluster-wide, or in the release's namespace. */ -}}
{{- define "scoremill.roleKind" -}}
{{ .Values.rbac.clusterWide | ternary "ClusterRole" "Role" }}
{{- end }}

{{- /* ClusterRoles of releases in several namespaces need names of their own. */ -}}
{{- define "scoremill.rolePrefix" -}}
{{ if .Values.rbac.clusterWide }}{{ .Release.Namespace }}-{{ end }}{{ include "scoremill.fullname" . }}
{{- end }}

{{- define "scoremill.operatorName" -}}
{{ include "scoremill.fullname" . }}-operator
{{- end }}

{{- define "scoremill.operatorSelector" -}}
app.kubernetes.io/name: scoremill-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "scoremill.operatorLabels" -}}
{{ include "scoremill.operatorSelector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: operator
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}
