#!/bin/sh
# prune.sh SITE-PACKAGES: removes files that no scoremill process loads. The numbers are the sizes that it frees.
set -eu
cd "$1"

# 60 MB: tests of libraries.
find . -type d -name tests -prune -exec rm -rf {} +
# 12 MB: files for compilers.
find . -type f \( -name '*.pyx' -o -name '*.pxd' -o -name '*.c' -o -name '*.h' -o -name '*.hpp' \) -delete
rm -rf pyarrow/include pyarrow/src
# 52 MB: Arrow Flight, and a second S3 client in addition to s3fs.
rm -f pyarrow/libarrow_flight.* pyarrow/libarrow_python_flight.* pyarrow/_flight.* \
      pyarrow/libarrow_s3.* pyarrow/_s3fs.* pyarrow/_pyarrow_cpp_tests.*
# 66 MB: the asynchronous variant of the Kubernetes client, and the byte code of its models, which saves a command 1 second
# of start-up; all other byte code saves each worker 6 seconds and is kept.
rm -rf kubernetes/aio
find kubernetes -name __pycache__ -prune -exec rm -rf {} +
# 24 MB: the interfaces of all services except storage and those that issue its credentials.
find botocore/data -mindepth 1 -maxdepth 1 -type d \
    ! -name s3 ! -name sts ! -name sso ! -name sso-oidc ! -name signin -exec rm -rf {} +
# 12 MB: the variant for PyPy of a C extension.
rm -f zstandard/_cffi.*
# 26 MB: debug information, which no other wheel contains.
find zstandard box -name '*.so' -exec strip --strip-debug {} +
