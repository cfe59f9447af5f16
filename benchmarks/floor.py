"""The floor: lists the same objects as the reporter, and only parses their JSON. ``python -m benchmarks.floor``.

No program that reads the same objects can be faster. It is a separate program, so that its start counts too.
"""

import os

import orjson
import urllib3
import yaml

PATHS = (
    "/apis/apps/v1/deployments",
    "/api/v1/configmaps",
    "/api/v1/services",
    "/apis/bench.example.com/v1/routes",
)


def main(kubeconfig: str) -> int:
    """Lists every kind of the fleet in pages of 500; returns the number of objects."""
    with open(kubeconfig, "rb") as file:  # noqa: PTH123
        config = yaml.load(file, yaml.CSafeLoader)
    server = config["clusters"][0]["cluster"]["server"]
    urllib3.disable_warnings()
    http = urllib3.PoolManager(
        cert_reqs="CERT_NONE", headers={"Authorization": f"Bearer {config['users'][0]['user']['token']}"}
    )
    count = 0
    for path in PATHS:
        token = ""
        while True:
            response = http.request("GET", f"{server}{path}?limit=500" + (f"&continue={token}" if token else ""))
            page = orjson.loads(response.data)
            count += len(page["items"])
            token = page["metadata"].get("continue", "")
            if not token:
                break
    return count


if __name__ == "__main__":
    print(main(os.environ["KUBECONFIG"]))
