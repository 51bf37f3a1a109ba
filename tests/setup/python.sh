#!/usr/bin/env bash
# Environments of Python, made by uv: python.sh tools | peers | evidently | airflow | kfp | huggingface | storage | ray
#   tools      uv, ruff and ONNX Runtime's shared library
#   peers      the real mlflow, dvc, scikit-learn, … of peers.txt
#   evidently  the real Evidently
#   airflow    the real Airflow
#   kfp        the real Kubeflow Pipelines SDK
#   huggingface  the real client of the Hugging Face Hub
#   ray        the real Ray, for `make test-ray`
#   storage    servers of S3 and Google Cloud Storage, and the real dvc that speaks to them and to Azure
. "$(dirname "$0")/common.sh"

UV=0.13.9
RUFF=0.14.10
ONNXRUNTIME=1.32.0

tools() {
  local stamp=$tools/.made-from text="uv $UV ruff $RUFF onnxruntime $ONNXRUNTIME"
  made_from "$stamp" "$text" && "$tools/bin/uv" --version >/dev/null 2>&1 && return
  say "installing uv and ONNX Runtime"
  exclusively tools
  [ -x "$tools/bin/python" ] || python3 -m venv "$tools" || fail "python3 -m venv does not work" "install python3-venv"
  "$tools/bin/python" -m pip install -q --disable-pip-version-check "uv==$UV" "ruff==$RUFF" >&2
  # The library alone: its Python side would bring numpy and more.
  "$tools/bin/uv" pip install -q --python "$tools/bin/python" --no-deps --target "$cache/onnxruntime.new" "onnxruntime==$ONNXRUNTIME" ||
    "$tools/bin/uv" pip install -q --no-deps --python-version 3.12 --only-binary :all: --target "$cache/onnxruntime.new" "onnxruntime==$ONNXRUNTIME"
  mkdir -p "$cache/onnxruntime"
  cp "$cache"/onnxruntime.new/onnxruntime/capi/libonnxruntime.so.* "$cache/onnxruntime/libonnxruntime.so.new"
  mv "$cache/onnxruntime/libonnxruntime.so.new" "$cache/onnxruntime/libonnxruntime.so"
  rm -rf "$cache/onnxruntime.new"
  remember "$stamp" "$text"
}

environment() { # name
  local folder=$cache/venvs/$1 list=$root/tests/setup/$1.txt
  local stamp=$folder/.made-from text
  text=$(cat "$list")
  made_from "$stamp" "$text" && [ -x "$folder/bin/python" ] && return
  tools
  say "making the Python environment '$1' (some hundred megabytes)"
  exclusively "$1"
  [ -x "$folder/bin/python" ] || "$tools/bin/uv" venv -q --python '>=3.11,<3.14' "$folder"
  "$tools/bin/uv" pip install -q --python "$folder/bin/python" -r "$list" ||
    fail "the environment '$1' cannot be made" "is the package index reachable?"
  remember "$stamp" "$text"
}

for name in "$@"; do
  case $name in
    tools) tools ;;
    peers | evidently | airflow | kfp | huggingface | storage | ray) environment "$name" ;;
    *) fail "no such environment: $name" ;;
  esac
done
