#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs the Debian packages that a part of the project needs, and only those that are missing:
# `packages.sh build` what compiles Millrace, `packages.sh tests` that and what the tests, the
# benchmark and the quickstart need (servers, Python modules, npm, Java and Maven).
set -euo pipefail

build=(gcc libc6-dev meson ninja-build pkg-config librocksdb-dev libmariadb-dev libpq-dev
    libcurl4-openssl-dev
    libmicrohttpd-dev libjansson-dev libyaml-dev libpcre2-dev libzstd-dev liblz4-dev zlib1g-dev
    libssl-dev librdkafka-dev libcmocka-dev)
tests=(mariadb-server mariadb-client postgresql-15 postgresql-15-postgis-3
    python3 python3-pytest python3-pytest-xdist
    python3-pymysql
    python3-psycopg2 python3-pip python3-cryptography openssl curl ca-certificates
    debian-archive-keyring kcat strace faketime)

installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        return 1
    fi
}

fail() {
    echo "packages: $*" >&2
    exit 1
}

wanted=("${build[@]}")
[ "${1:-build}" = build ] || wanted+=("${tests[@]}")
missing=()
for package in "${wanted[@]}"; do
    installed "$package" || missing+=("$package")
done
# A machine may have Node.js from elsewhere: only the command counts.
if [ "${1:-build}" != build ] && ! command -v npm >/dev/null; then
    missing+=(npm)
fi
if [ "${1:-build}" != build ] && ! command -v javac >/dev/null; then
    missing+=(default-jdk-headless)
fi
if [ "${1:-build}" != build ] && ! command -v mvn >/dev/null; then
    missing+=(maven)
fi
[ ${#missing[@]} -gt 0 ] || exit 0

command -v apt-get >/dev/null || fail "this needs Debian 12; missing: ${missing[*]}"
as_root true || fail "run this as root or install sudo; missing: ${missing[*]}"
echo "installing ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600)
if ! as_root "${apt[@]}" update >"$log" 2>&1 ||
    ! as_root "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1; then
    tail -n 15 "$log" >&2
    fail "apt-get could not install: ${missing[*]}"
fi
