{{/* What is missing or contradicts itself, told all at once. values.schema.json has told what is wrong by itself. */}}
{{- define "chandlery.problems" -}}
{{- $problems := list -}}
{{- $v := .Values -}}
{{- if $v.broker.enabled -}}
  {{- $databases := list $v.database.existingSecret.name (ternary "trial" "" $v.database.trial.enabled) | compact -}}
  {{- if ne (len $databases) 1 -}}
    {{- $problems = append $problems "the broker needs one database: set database.existingSecret.name, or for a trial database.trial.enabled=true" -}}
  {{- end -}}
  {{- $keys := list $v.masterKey.existingSecret.name $v.masterKey.kmsKeyArn (ternary "generate" "" $v.masterKey.generate) | compact -}}
  {{- if ne (len $keys) 1 -}}
    {{- $problems = append $problems "the broker needs one master key: set masterKey.existingSecret.name or masterKey.kmsKeyArn, or for a trial masterKey.generate=true" -}}
  {{- end -}}
  {{- if and $v.database.certificateAuthority.secret $v.database.certificateAuthority.configMap -}}
    {{- $problems = append $problems "the database's authority comes from a Secret or from a ConfigMap: unset one of database.certificateAuthority.secret and .configMap" -}}
  {{- end -}}
  {{- if and $v.policy.existingSecret.name $v.policy.content -}}
    {{- $problems = append $problems "there are two policies: unset policy.existingSecret.name or policy.content" -}}
  {{- end -}}
  {{- if not $v.policy.existingSecret.name -}}
    {{- if not $v.policy.content.targets -}}
      {{- $problems = append $problems "the broker needs to know where in AWS things go: set policy.content.targets (docs/POLICY.md), or policy.existingSecret.name" -}}
    {{- end -}}
    {{- if and (not $v.registration.enabled) (not $v.policy.content.platforms) -}}
      {{- $problems = append $problems "nobody could order: enable the registration, or name platforms in policy.content.platforms" -}}
    {{- end -}}
    {{- range $v.policy.content.platforms -}}
      {{- if and $v.registration.enabled (eq .name $v.registration.platform) -}}
        {{- $problems = append $problems (printf "policy.content.platforms has %q, which is the registration's: give one of them another name (registration.platform)" .name) -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
  {{- if and $v.catalog.existingConfigMap $v.catalog.offerings -}}
    {{- $problems = append $problems "there are two catalogs: unset catalog.existingConfigMap or catalog.offerings" -}}
  {{- end -}}
  {{- if and (eq $v.tls.mode "existingSecret") (not $v.tls.existingSecret) -}}
    {{- $problems = append $problems "tls.mode is existingSecret: name it in tls.existingSecret" -}}
  {{- end -}}
  {{- if and (eq $v.tls.mode "certManager") (not $v.tls.certManager.issuerRef.name) -}}
    {{- $problems = append $problems "tls.mode is certManager: name the issuer in tls.certManager.issuerRef.name" -}}
  {{- end -}}
  {{- if and (eq $v.migrations.mode "hook") $v.database.trial.enabled -}}
    {{- $problems = append $problems "a migration before the installation would wait for the trial database, which comes with it: leave migrations.mode at auto" -}}
  {{- end -}}
  {{- if $v.registration.enabled -}}
    {{- if and $v.policy.existingSecret.name (not $v.registration.existingSecret) -}}
      {{- $problems = append $problems "your policy has to know the password of the registration: put both into a Secret (username, password) and name it in registration.existingSecret, or set registration.enabled=false" -}}
    {{- end -}}
    {{- if and (not $v.policy.existingSecret.name) $v.registration.existingSecret (not $v.registration.passwordSha256) -}}
      {{- $problems = append $problems "the policy needs the digest of the password in registration.existingSecret: set registration.passwordSha256 (`chandlery policy hash` prints it)" -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- if not (or $v.broker.enabled $v.controller.enabled) -}}
  {{- $problems = append $problems "nothing would be installed: enable broker or controller" -}}
{{- end -}}
{{- if and $v.controller.enabled $v.controller.namespacedOnly (include "chandlery.registers" .) -}}
  {{- $problems = append $problems "the registration is of the whole cluster, which controller.namespacedOnly leaves alone: set registration.enabled=false" -}}
{{- end -}}
{{- if $problems -}}
  {{- fail (printf "\n\nThese values cannot be installed:\n  - %s\n" (join "\n  - " $problems)) -}}
{{- end -}}
{{- end }}
