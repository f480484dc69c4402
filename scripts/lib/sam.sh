# The SAM CLI, kept to this machine. Sourced after common.sh.

sam_home=$work/sam
mkdir -p "$sam_home/.aws-sam"
# Without this it asks a registry for newer versions of itself.
printf '{"telemetryEnabled": false, "lastVersionCheck": %s}' "$(date +%s)" >"$sam_home/.aws-sam/metadata.json"

# in_sam COMMAND…: with the tools' environment, a home of its own, and Go's caches
# where they are.
in_sam() {
  env GOCACHE="$(go env GOCACHE)" GOMODCACHE="$(go env GOMODCACHE)" GOPATH="$(go env GOPATH)" \
    HOME="$sam_home" SAM_CLI_TELEMETRY=0 PATH="$PWD/.venv-sam/bin:$PATH" "$@"
}

# templates lists the CloudFormation templates of the repository.
templates() {
  git ls-files -co --exclude-standard '*.yaml' '*.yml' '*.json' | xargs grep -lE '^ *"?AWSTemplateFormatVersion"?:'
}

# lint_templates: no finding is let pass.
lint_templates() {
  local template
  for template in $(templates); do
    if grep -q 'AWS::Serverless-2016-10-31' "$template"; then
      in_sam sam validate --lint --template "$template" >"$work/lint.log" 2>&1 || { cat "$work/lint.log" >&2; die "sam validate --lint: $template"; }
    fi
    in_sam cfn-lint --non-zero-exit-code informational --template "$template" || die "cfn-lint: $template"
    say "$template: no findings"
  done
}

# sam_build ARCH FOLDER: of the repository that is the current folder.
sam_build() {
  in_sam ARCH="$1" sam build --build-dir "$2" --cache-dir "$work/sam-cache" >"$work/build.log" 2>&1 || { cat "$work/build.log" >&2; die "sam build failed"; }
}

# check_build ARCH FOLDER: programs for that processor, that can be started, with
# their files beside them.
check_build() {
  local machine function file
  case $1 in x86_64) machine=3e ;; arm64) machine=b7 ;; esac
  for function in IngestFunction DetectFunction DispatchFunction ApproveFunction; do
    file=$2/$function/bootstrap
    [ -x "$file" ] || die "$file cannot be executed"
    # An ELF file says its machine in byte 18: 3e is x86-64, b7 is AArch64.
    [ "$(od -An -tx1 -N4 "$file" | tr -d ' \n')$(od -An -tx1 -j18 -N1 "$file" | tr -d ' \n')" = "7f454c46$machine" ] || die "$file is no program for $1"
  done
  for file in DetectFunction/rules.yml DetectFunction/rules/self.yml DispatchFunction/rules.yml DispatchFunction/rules/self.yml DispatchFunction/flows.yml; do
    cmp -s "$2/$file" "${file#*/}" || die "$2/$file is not ${file#*/}"
  done
  diff -r "$2/DispatchFunction/templates" templates >&2 || die "$2/DispatchFunction/templates is not templates"
  say "$1: $(cd "$2" && du -h */bootstrap | awk '{printf "%s %s  ", $2, $1}')"
}

# copy_repository FOLDER: all files but those that Git ignores.
copy_repository() {
  mkdir -p "$1"
  git ls-files -coz --exclude-standard | tar -c --null --files-from - | tar -x -C "$1"
}

# sam_deploy STACK FOLDER PARAMETER=VALUE…: what sam_build has built, to $endpoint.
sam_deploy() {
  local stack=$1 folder=$2
  shift 2
  in_sam AWS_ENDPOINT_URL="$endpoint" AWS_CA_BUNDLE="$certificates/cert.pem" sam deploy --config-file "$PWD/samconfig.toml" \
    --template-file "$folder/template.yaml" --stack-name "$stack" --no-confirm-changeset --parameter-overrides "$@" \
    >"$work/deploy.log" 2>&1 || { cat "$work/deploy.log" >&2; die "sam deploy failed"; }
  grep '^Successfully' "$work/deploy.log" >&2
}
