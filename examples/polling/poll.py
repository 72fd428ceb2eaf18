"""Polls a model and prints each new state of its records, as JSON lines, missing none. README.md says how.

    poll.py --model res.partner --fields name,email --state state.json [--reconcile] [--page 1000]

One run is one poll; let cron or a loop repeat it.
"""

import argparse
import datetime
import hashlib
import json
import os
import sys

import requests

URL = os.environ.get("LATERAL_URL", "http://localhost:8070")
OVERLAP = datetime.timedelta(seconds=int(os.environ.get("LATERAL_OVERLAP", "600")))
FORMAT = "%Y-%m-%d %H:%M:%S"


class Poller:
    def __init__(self, session, model, fields, page, emit):
        self.session, self.model, self.fields, self.page, self.emit = session, model, fields, page, emit

    def read(self, domain, fields):
        """Yields the records of a domain in the order of their ids, archived ones too."""
        last = 0
        while True:
            params = {
                "filters": domain + [["id", ">", last]], "order": "id", "exclude_fields": "*", "include_fields": fields,
                "__context__": {"active_test": False},
            }
            if self.page:
                params["limit"] = self.page
            answer = self.session.get(URL + "/v2/" + self.model, json=params)
            answer.raise_for_status()
            # A stream that breaks off is no JSON, so that a part never looks like the whole.
            records = answer.json()["results"]
            yield from records
            if not self.page or len(records) < self.page:
                return
            last = records[-1]["id"]

    def poll(self, state):
        """Hands on what has changed since the state's cursor, and returns the new state."""
        cursor, digests = state.get("cursor"), state.get("digests", {})
        domain = []
        if cursor:
            since = datetime.datetime.strptime(cursor, FORMAT) - OVERLAP
            domain = [["write_date", ">=", since.strftime(FORMAT)]]
        kept, newest = {}, cursor or ""
        for record in self.read(domain, self.fields + ["write_date"]):
            key, digest = str(record["id"]), digest_of(record)
            if digests.get(key, [None])[0] != digest:
                self.emit("changed", record)
            kept[key] = [digest, record["write_date"]]
            newest = max(newest, record["write_date"] or "")
        return {"cursor": newest or None, "digests": {**digests, **kept}}

    def reconcile(self, state):
        """Compares everything: hands on what differs from what was handed on, and what is gone."""
        digests, now = state.get("digests", {}), {}
        for record in self.read([], self.fields + ["write_date"]):
            key, digest = str(record["id"]), digest_of(record)
            if digests.get(key, [None])[0] != digest:
                self.emit("changed", record)
            now[key] = [digest, record["write_date"]]
        for key in digests.keys() - now.keys():
            self.emit("gone", {"id": int(key)})
        newest = max([seen[1] or "" for seen in now.values()], default="")
        return {"cursor": max(newest, state.get("cursor") or "") or None, "digests": now}


def digest_of(record):
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def log_in(user, password):
    tokens = requests.post(URL + "/v2/auth/get_tokens", json={"username": user, "password": password})
    tokens.raise_for_status()
    session = requests.Session()
    session.headers["Access-Token"] = tokens.json()["access_token"]
    return session


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--fields", required=True, help="with commas between them")
    parser.add_argument("--state", required=True, help="file that keeps what was seen")
    parser.add_argument("--page", type=int, default=0, help="records of one request; 0: all in one")
    parser.add_argument("--reconcile", action="store_true", help="compare everything")
    options = parser.parse_args()

    state = {}
    if os.path.exists(options.state):
        with open(options.state) as file:
            state = json.load(file)

    def emit(what, record):
        print(json.dumps({what: record}))

    poller = Poller(log_in(os.environ["LATERAL_USER"], os.environ["LATERAL_PASSWORD"]), options.model, options.fields.split(","), options.page, emit)
    state = poller.reconcile(state) if options.reconcile else poller.poll(state)
    # What was handed on must be out before the state says so; the state changes as a whole.
    sys.stdout.flush()
    with open(options.state + ".new", "w") as file:
        json.dump(state, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(options.state + ".new", options.state)


if __name__ == "__main__":
    main()
