"""Runs one agent of the OpenAI Agents SDK for an inspan pane.

One JSON object a line on standard input and output; `protocol.rs` beside this file has both vocabularies. This process
decides nothing about the workspace: every tool call goes to the host, which asks the person, executes it and sends the
output back. What is printed by anything else goes to standard error, so that standard output stays the protocol's.
"""

import asyncio
import json
import os
import sys
import threading

OUT = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)
os.environ["OPENAI_AGENTS_DISABLE_TRACING"] = "1"

# What may go well a moment later. A quota that is used up is none of it.
TRANSIENT = {408, 409, 425, 429, 500, 502, 503, 504, 520, 529}
FINAL_CODES = {"insufficient_quota", "billing_hard_limit_reached", "usage_limit_reached"}
# A longer wait than this is a limit, which the person should decide about.
LONGEST_WAIT = 120.0
# Model requests of one prompt. A task has tens; a loop has no end.
MAX_TURNS = 400
INTERRUPTED = "The person interrupted before this call gave its result."


def emit(kind, **fields):
    OUT.write(json.dumps({"type": kind, **fields}, ensure_ascii=False) + "\n")
    OUT.flush()


def fail(why):
    emit("fatal", why=why)
    sys.exit(1)


try:
    import agents
    from agents import (
        Agent,
        FunctionTool,
        ModelRetrySettings,
        ModelSettings,
        OpenAIResponsesModel,
        RetryDecision,
        RunConfig,
        Runner,
        SQLiteSession,
        set_tracing_disabled,
    )
    from openai import APIConnectionError, APIStatusError, AsyncOpenAI
except ImportError as error:
    fail(f"the Agents SDK cannot be loaded: {error} · inspan install openai-agents --force puts it there again")

set_tracing_disabled(True)


def words(error):
    """What an upstream's refusal says, without the wrapping of the client."""
    if isinstance(error, APIStatusError):
        body = error.body if isinstance(error.body, dict) else {}
        inner = body.get("error") if isinstance(body.get("error"), dict) else body
        said = inner.get("message") or error.message
        return f"{error.status_code}: {said}"
    cause = error.__cause__
    text = str(error) or type(error).__name__
    return f"{text} ({cause})" if cause is not None and str(cause) and str(cause) not in text else text


class Runtime:
    def __init__(self, start):
        self.retries = start.get("max_retries", 4)
        self.first_delay = start.get("first_delay", 1.0)
        self.answers = {}
        self.turn = None
        self.result = None
        self.wait = None
        client = AsyncOpenAI(
            base_url=start["base_url"],
            api_key=start["token"],
            # A retry that the client makes is one that nobody sees.
            max_retries=0,
        )
        # The SDK copies its settings deeply, which a bound method would drag this whole object into.
        policy = lambda context: self.decide(context)
        settings = ModelSettings(retry=ModelRetrySettings(max_retries=self.retries, policy=policy))
        effort = start.get("effort")
        if effort:
            from openai.types.shared import Reasoning

            settings.reasoning = Reasoning(effort=effort)
        self.session = SQLiteSession(start["session"], start["database"])
        self.agent = Agent(
            name="inspan",
            instructions=start["instructions"],
            model=OpenAIResponsesModel(model=start["model"], openai_client=client),
            model_settings=settings,
            tools=[self.tool(declared) for declared in start["tools"]],
        )
        self.config = RunConfig(tracing_disabled=True)

    def tool(self, declared):
        name = declared["name"]

        async def invoke(context, arguments):
            call = context.tool_call_id
            answer = asyncio.get_running_loop().create_future()
            self.answers[call] = answer
            emit("tool_call", id=call, name=name, arguments=arguments)
            try:
                return await answer
            finally:
                self.answers.pop(call, None)

        return FunctionTool(
            name=name,
            description=declared["description"],
            params_json_schema=declared["parameters"],
            on_invoke_tool=invoke,
            strict_json_schema=False,
        )

    def decide(self, context):
        """Whether a failed model request is made again; each time it is, the person sees it."""
        facts = context.normalized
        self.wait = None
        transient = facts.is_network_error or facts.is_timeout or facts.status_code in TRANSIENT
        if not transient or facts.error_code in FINAL_CODES or context.attempt > self.retries:
            return RetryDecision(retry=False)
        delay = facts.retry_after
        if delay is None:
            delay = min(self.first_delay * 2 ** (context.attempt - 1), 30.0)
        if delay > LONGEST_WAIT:
            self.wait = delay
            return RetryDecision(retry=False)
        self.retrying(context.attempt, delay, facts.status_code, words(context.error))
        return RetryDecision(retry=True, delay=delay, reason=facts.error_code)

    def retrying(self, attempt, delay, status, why):
        emit("retrying", attempt=attempt, of=self.retries, delay=delay, status=status, why=why)

    async def repair(self):
        """A turn that was cut off leaves calls without results, which no model API takes: each gets one."""
        items = await self.session.get_items()
        answered = {item.get("call_id") for item in items if item.get("type") == "function_call_output"}
        calls = [item for item in items if item.get("type") == "function_call"]
        lost = [item["call_id"] for item in calls if item.get("call_id") not in answered]
        if lost:
            outputs = [{"type": "function_call_output", "call_id": id, "output": INTERRUPTED} for id in lost]
            await self.session.add_items(outputs)
        while items and not lost and items[-1].get("type") == "reasoning":
            await self.session.pop_item()
            items.pop()

    async def stream(self, given):
        """One run of the agent; tells what it says as it says it."""
        self.result = Runner.run_streamed(
            self.agent, given, session=self.session, max_turns=MAX_TURNS, run_config=self.config
        )
        async for event in self.result.stream_events():
            if event.type != "raw_response_event":
                continue
            raw = event.data
            if raw.type == "response.created":
                emit("model", name=raw.response.model)
            elif raw.type == "response.output_text.delta":
                emit("text", text=raw.delta)
            elif raw.type == "response.reasoning_summary_text.delta":
                emit("reasoning", text=raw.delta)
            elif raw.type == "response.refusal.delta":
                emit("text", text=raw.delta)
            elif raw.type == "response.output_item.done" and raw.item.type == "message":
                emit("said", text="".join(getattr(part, "text", "") for part in raw.item.content))
            elif raw.type == "response.completed" and raw.response.usage:
                usage = raw.response.usage
                emit("usage", input=usage.input_tokens, output=usage.output_tokens)
        if self.result.run_loop_exception:
            raise self.result.run_loop_exception

    async def prompt(self, text):
        emit("turn")
        how, why = "done", None
        self.wait = None
        attempt = 0
        given = text
        try:
            while True:
                known = len(await self.session.get_items())
                try:
                    await self.stream(given)
                    break
                except APIConnectionError as error:
                    # The SDK does not ask the policy about an answer that broke off in its middle.
                    attempt += 1
                    if attempt > self.retries:
                        raise
                    delay = min(self.first_delay * 2 ** (attempt - 1), 30.0)
                    self.retrying(attempt, delay, None, f"the answer broke off: {words(error)}")
                    await self.repair()
                    await asyncio.sleep(delay)
                    # What was kept of the first try is in the session; only what was not is given again.
                    given = [] if len(await self.session.get_items()) > known else text
        except asyncio.CancelledError:
            how = "interrupted"
        except Exception as error:
            how, why = "failed", words(error)
            if self.wait is not None:
                why += f" · again in {round(self.wait / 60)} min"
        finally:
            self.result = None
            self.answers.clear()
        try:
            await self.repair()
        except Exception as error:
            how, why = "failed", f"the session could not be kept: {error}"
        emit("ended", how=how, why=why)

    def interrupt(self):
        if self.result is not None:
            self.result.cancel()
        if self.turn is not None:
            self.turn.cancel()


def lines(loop, queue):
    for line in sys.stdin.buffer:
        loop.call_soon_threadsafe(queue.put_nowait, line)
    loop.call_soon_threadsafe(queue.put_nowait, None)


async def main():
    queue = asyncio.Queue()
    threading.Thread(target=lines, args=(asyncio.get_running_loop(), queue), daemon=True).start()
    runtime = None
    waiting = []
    while True:
        if runtime is not None and runtime.turn is None and waiting:
            runtime.turn = asyncio.create_task(runtime.prompt(waiting.pop(0)))
        # A turn's end wakes the loop as a line does.
        get = asyncio.ensure_future(queue.get())
        turn = [runtime.turn] if runtime is not None and runtime.turn is not None else []
        await asyncio.wait([get, *turn], return_when=asyncio.FIRST_COMPLETED)
        if turn and turn[0].done():
            runtime.turn = None
        if not get.done():
            get.cancel()
            continue
        line = get.result()
        if line is None:
            break
        said = json.loads(line)
        kind = said["type"]
        if kind == "start":
            runtime = Runtime(said)
            await runtime.repair()
            emit("ready", sdk=getattr(agents.version, "__version__", "?"), python=sys.version.split()[0])
        elif kind == "prompt":
            waiting.append(said["text"])
        elif kind == "tool_result":
            answer = runtime.answers.get(said["id"])
            if answer is not None and not answer.done():
                answer.set_result(said["output"])
        elif kind == "interrupt":
            runtime.interrupt()
    if runtime is not None:
        runtime.interrupt()


try:
    asyncio.run(main())
except Exception as error:
    fail(f"the runner stopped: {type(error).__name__}: {error}")
os._exit(0)
