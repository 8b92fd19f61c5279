"""decaybench: compare learning-rate decay strategies, fixed and loss-reactive, with evidence.

``decaybench.run(sweep)`` trains what is missing of a sweep and writes its report; ``decaybench.load(storage, name)``
gives its tables as DataFrames; ``decaybench.schedules`` has the schedules themselves.
"""
