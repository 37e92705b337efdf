from scoremill.execute.coordinator.account import Account


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_each_second_belongs_to_one_stage():
    clock = Clock()
    account = Account("plan", 98.0, clock)
    clock.now = 101.0
    account.enter("start")
    clock.now = 107.0
    account.enter("score", 2.0)  # the first result arrives, and its partition took 2 s
    account.workers = 3
    clock.now = 110.0
    account.enter("score")
    clock.now = 112.0
    account.enter("plan")
    clock.now = 112.5
    assert account.fields() == {"seconds": {"plan": 3.5, "start": 4.0, "score": 7.0}, "workers": 3}


def test_a_partition_that_took_longer_than_its_stage_takes_no_time_of_earlier_stages():
    clock = Clock()
    account = Account("plan", clock=clock)
    clock.now = 101.0
    account.enter("start")
    account.enter("score", 5.0)
    clock.now = 102.0
    assert account.fields()["seconds"] == {"plan": 1.0, "start": 0.0, "score": 1.0}
