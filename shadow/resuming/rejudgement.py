"""Judges again what was judged after a snapshot, from the records that the store kept instead of the next snapshot."""

from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import Event
from tightrope.service.adapters.dead_letters import is_records_fault
from tightrope.service.adapters.ports import NO_RECORDER, StepRecorder, Store
from tightrope.service.adapters.sqlite.state_file import StoreError
from tightrope.service.adapters.wire.envelope import WireError
from tightrope.shadow.judge_round import JudgeRound
from tightrope.shadow.output.encoded_states import EncodedStates


def rejudge(
    store: Store, host: str, plan: Plan, state: State, recorder: StepRecorder = NO_RECORDER
) -> tuple[State, list[Event]]:
    """The state after all records that followed a model's snapshot; with events that are new.

    The records of another plan are left out: its evidence begins anew.

    Raises:
        WireError: when they cannot be judged: what they led to is unknown.
    """
    events: list[Event] = []
    if state.digest != plan.digest:
        return state, events
    try:
        for inputs in store.judged_inputs(plan.model):
            before = {plan.model: state}
            judge_round = JudgeRound({plan.model: plan}, before, store, host, inputs.now, recorder=recorder)
            for record, error in judge_round.process(inputs.records):
                raise WireError(f"{record.topic}, offset {record.offset}: {error}")  # noqa: TRY301 - of the loop's record
            state = judge_round.states[plan.model]
            store.take_over(plan.model, EncodedStates({plan.model: state}), judge_round.pending)
            judge_round.record(before)
            events += judge_round.events
    except Exception as error:
        if not isinstance(error, StoreError | WireError) and not is_records_fault(error):
            raise
        raise WireError(f"what was judged after its snapshot cannot be judged again: {error}") from error
    return state, events
