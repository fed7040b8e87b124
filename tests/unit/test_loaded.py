"""A run loads what its site needs: every process of it starts sooner, and after a crash as well."""

import subprocess
import sys


def test_a_run_without_database_and_redis_loads_neither():
    code = "import sys, pipelines.launch; print({'sqlalchemy', 'redis'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
