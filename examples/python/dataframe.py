"""Order lines as a pandas data frame: what each customer has bought, by product."""

import os

import pandas
import requests

URL = os.environ.get("LATERAL_URL", "http://localhost:8070")


def lines(url, user, password):
    """All order lines as one table, read in one request and as of one instant."""
    tokens = requests.post(url + "/v2/auth/get_tokens", json={"username": user, "password": password})
    tokens.raise_for_status()
    answer = requests.get(
        url + "/v2/sale.order.line", headers={"Access-Token": tokens.json()["access_token"]},
        json={
            "filters": [["order_id.state", "!=", "cancel"], ["product_id", "!=", False]], "exclude_fields": "*",
            "include_fields": [
                "product_uom_qty", "price_subtotal", ["product_id", ["id", "default_code"]],
                ["order_id", ["name", "date_order", ["partner_id", ["name"]]]],
            ],
        },
    )
    answer.raise_for_status()
    frame = pandas.json_normalize(answer.json()["results"], sep="_")
    frame["order_id_date_order"] = pandas.to_datetime(frame["order_id_date_order"])
    return frame


def main():
    frame = lines(URL, os.environ["LATERAL_USER"], os.environ["LATERAL_PASSWORD"])
    print(len(frame), "lines")
    print(frame.groupby(["order_id_partner_id_name", "product_id_default_code"], dropna=False)["price_subtotal"].sum().to_string())
    print("total %.2f" % frame["price_subtotal"].sum())


if __name__ == "__main__":
    main()
