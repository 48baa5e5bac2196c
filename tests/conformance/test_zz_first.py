from tests.conformance.mssql_lane import *
def test_a(lane):
    lane.execute("CREATE TABLE dbo.T1 (Id int IDENTITY PRIMARY KEY, body nvarchar(max), a nvarchar(20), done datetime2(3))")
    for t in said({"a":"é漢😀"},{"a":None}): lane.execute("INSERT INTO dbo.T1 (body) VALUES (?)", t)
    lane.work('''table = "T1"
schema = "dbo"
key = ["Id"]
pending = "done IS NULL"
prompt = "{{ body }}"
on_success = { done = { now = "utc" } }
'''+fields(a="string"))
    print(lane.execute("SELECT * FROM dbo.T1"), lane.outcomes(), lane.findings(), lane.verify())
    assert 0
