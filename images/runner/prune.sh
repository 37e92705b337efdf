#!/bin/sh
# prune.sh SITE-PACKAGES: takes away what no process of ours loads. Figures: what it frees.
set -eu
cd "$1"

# 60 MB: the tests of libraries.
find . -type d -name tests -prune -exec rm -rf {} +
# 12 MB: what only compilers read.
find . -type f \( -name '*.pyx' -o -name '*.pxd' -o -name '*.c' -o -name '*.h' -o -name '*.hpp' \) -delete
rm -rf pyarrow/include pyarrow/src
# 52 MB: Arrow Flight, and a second S3 client; ours is s3fs.
rm -f pyarrow/libarrow_flight.* pyarrow/libarrow_python_flight.* pyarrow/_flight.* \
      pyarrow/libarrow_s3.* pyarrow/_s3fs.* pyarrow/_pyarrow_cpp_tests.*
# 66 MB: the asynchronous twin of the Kubernetes client; the bytecode of its models, which is a second of a command's
# start where all other bytecode is 6 seconds of each worker's.
rm -rf kubernetes/aio
find kubernetes -name __pycache__ -prune -exec rm -rf {} +
# 24 MB: the interfaces of all services but storage and those that give credentials for it.
find botocore/data -mindepth 1 -maxdepth 1 -type d \
    ! -name s3 ! -name sts ! -name sso ! -name sso-oidc ! -name signin -exec rm -rf {} +
# 12 MB: what PyPy loads in place of the C extension.
rm -f zstandard/_cffi.*
# 26 MB: debug information; all other wheels come without.
find zstandard box -name '*.so' -exec strip --strip-debug {} +
