"""Reads orders with their lines, and creates, changes and deletes a contact."""

import os
import uuid

import requests

URL = os.environ.get("LATERAL_URL", "http://localhost:8070")


class Lateral:
    """A session of one Odoo user. A token that has run out is renewed once per request."""

    def __init__(self, url, user, password):
        self.url, self.http = url, requests.Session()
        answer = self.http.post(url + "/v2/auth/get_tokens", json={"username": user, "password": password})
        answer.raise_for_status()
        self.refresh = answer.json()["refresh_token"]
        self.http.headers["Access-Token"] = answer.json()["access_token"]

    def send(self, verb, path, key=None, **params):
        headers = {"Idempotency-Key": key} if key else {}
        answer = self.http.request(verb, self.url + "/v2/" + path, json=params, headers=headers)
        if answer.status_code == 401:
            renewed = requests.post(self.url + "/v2/auth/refresh_token", json={"refresh_token": self.refresh})
            renewed.raise_for_status()
            self.http.headers["Access-Token"] = renewed.json()["access_token"]
            answer = self.http.request(verb, self.url + "/v2/" + path, json=params, headers=headers)
        if not answer.ok:
            raise RuntimeError("%s %s: %s" % (verb, path, answer.text))
        return answer.json()


def main():
    odoo = Lateral(URL, os.environ["LATERAL_USER"], os.environ["LATERAL_PASSWORD"])

    page = odoo.send(
        "GET", "sale.order", filters=[["state", "!=", "cancel"]], order="date_order desc", limit=5, count=True,
        include_fields=["amount_total", ["partner_id", ["name"]], ["order_line", ["name", "product_uom_qty"]]],
    )
    print("%d of %d orders" % (page["count"], page["total"]))
    for order in page["results"]:
        customer = order["partner_id"]["name"] if order["partner_id"] else "nobody"
        print(order["name"], customer, order["amount_total"], len(order["order_line"]), "lines")

    # With a key, a request that is sent again after a broken connection is run once.
    contact = odoo.send("POST", "res.partner", key=str(uuid.uuid4()), name="Tom Lenz", child_ids=[{"name": "Ann Lenz"}])["id"]
    odoo.send("PUT", "res.partner/%d" % contact, city="Ghent")
    read = odoo.send("GET", "res.partner/%d" % contact, exclude_fields="*", include_fields=["city", ["child_ids", ["name"]]])
    print("contact", read["city"], read["child_ids"][0]["name"])
    found = odoo.send("PUT", "res.partner/0/name_search", name="Tom Lenz")
    print("found", len(found))
    odoo.send("DELETE", "res.partner/%d" % contact)
    print("deleted")


if __name__ == "__main__":
    main()
