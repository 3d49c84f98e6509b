"""
The add-on in real hosts: Apache Superset and Apache Airflow, each in a virtual environment of its own.

``make host-superset`` and ``make host-airflow`` install them and run these tests; `make test` leaves them out. Hosts
run as processes of their own, with the built wheel; only the browser, the local WeChat and the pictures are here.
"""
