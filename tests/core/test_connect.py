def test_x(engine):
    with engine.connect() as c:
        print(c.exec_driver_sql("select version()").scalar())


def test_15(server15_url, password_server):
    import psycopg

    print(psycopg.connect(server15_url).info.server_version, psycopg.connect(password_server).info.server_version)
