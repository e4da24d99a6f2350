//! The engine of avwatch: time, threads, lanes, restarts and latencies.
//!
//! It opens no file, socket or decoder: those come in through the ports [`source::Opener`],
//! [`source::FrameSource`], [`detector::Detector`], [`sink::Sink`] and [`sink::EventStore`].
//! Data flows one way: source → frame → verdict → event → sink. What flows back is a beat, a cut or
//! a command.
//!
//! # Map
//!
//! **What travels**
//! - [`media_time`]: where in the stream's own timeline something is; all judgement is made in it.
//! - [`track`]: tracks and sessions: what one successful open turned out to hold.
//! - [`frame`]: pictures and blocks of sound with their facts and stamps.
//! - [`item`]: all that travels from a session to its detectors.
//! - [`severity`]: how much an event matters.
//! - [`event`]: the one record of an event, and the changes through which it goes.
//! - [`incident`]: the one record of what fails together. [`record`]: either, as it is committed.
//! - [`stream_table`]: what streams have in common. [`probe_report`]: how the monitor's own network is.
//!
//! **From the source to the lanes**
//! - [`source`]: the ports that open and deliver, and how they fail.
//! - [`paced`]: lets items leave no faster than a multiple of real time.
//! - [`ingest`]: one session from open to end, on a thread of its own.
//! - [`fan_out`]: offers each item to every interested lane.
//! - [`lane`]: bounded channels with a named policy for when they are full.
//! - [`bell`]: at most one pending nudge for the actor behind a lane.
//! - [`scripted`]: a source that plays a script, for tests and benches.
//!
//! **From the lanes to events**
//! - [`detector`]: the port of detectors, and how one is described.
//! - [`detector_host`]: one instance on one track, behind `catch_unwind`.
//! - [`detector_budget`]: how much of a core it may take on a live stream; pure.
//! - [`precedence`]: which condition explains which other ones.
//! - [`event_lifecycle`]: verdicts in, raised, escalated and ended out; pure, in media time.
//! - [`detector_group`]: every detector of one lane, asked together about each item.
//! - [`group_clock`]: puts the sessions of a stream on one timeline.
//! - [`detector_actor`]: drains one lane on a detector arbiter.
//!
//! **From events to people**
//! - [`alarm_model`]: what becomes of a change before anyone hears of it, in stages; pure.
//! - [`incidents`]: which events belong together; pure. [`incident_stage`]: their place in the desk.
//! - [`event_desk`]: where all changes converge, are judged, committed and published.
//! - [`sink`]: the ports of sinks and of the store.
//! - [`sink_thread`]: delivers to one sink with retries.
//! - [`store_thread`]: commits, and keeps a ring for a store that cannot.
//!
//! **Keeping it alive**
//! - [`lifeline`]: the shared pair *beats / cut* between a thread and its supervisor.
//! - [`worker`]: the one place where threads are made.
//! - [`pulse`]: proof that an arbiter turns, and which call it is in.
//! - [`arbiters`]: the threads of the detector actors, and the watchdog over them.
//! - [`restart`]: how long to wait after a failure; pure.
//! - [`connect_bucket`]: keeps a returning origin from being stormed.
//! - [`stream_life`]: which session runs, when it is cut, what follows; pure.
//! - [`input_watch`]: speaks for the input when nothing flows; pure.
//! - [`stream_groups`]: the detector actors of one stream: started, retuned, mended, moved.
//! - [`supervisor`]: the actor of one stream, which acts out all of these.
//! - [`monitor`]: the root actor.
//! - [`shedding`], [`memory_budget`]: what is given up when time or memory is short; pure. [`load_watch`] acts them out.
//! - [`setup`]: what the engine needs to run a stream.
//!
//! **What may be known**
//! - [`meters`]: readings of a session. [`latency`]: histograms per stage.
//! - [`cpu_accounts`]: time per detector. [`status`]: the board that API and metrics read.
//!
//! # Invariants
//!
//! 1. Only frames are ever displaced by a full lane; what says what they mean arrives in order.
//! 2. An event is in the store before anyone is told of it, or goes out marked as not stored.
//! 3. A session's thread that was abandoned, and a detector actor that was replaced, are fenced off:
//!    nothing that they still say counts.
//! 4. A panic or hang of a detector costs that detector; of a source, that stream; of a sink, that sink.
//! 5. The same items give the same changes, whatever the schedule of the threads; but what a detector that
//!    takes more of a core than it may has missed of a live stream, nobody can tell.
//! 6. Everything that is dropped is counted where it is dropped, and the count can be read.
//! 7. No actor waits. Threads wait in slices, beat meanwhile and look at the cut.
//!
//! # Limits
//!
//! | what | at most | beyond it |
//! |---|---|---|
//! | lane | its capacity of frames, 64 other items | its [`lane::WhenFull`]; others are kept aside |
//! | kept aside while frames are displaced | 1,024 items, clocks and packet reports joined | the oldest goes, counted |
//! | nudges per detector actor | 1 | joined |
//! | items per turn of a detector actor | 32 | the next turn |
//! | findings per detector and item | 8 | dropped |
//! | tracks per lane | 64 | not inspected, logged |
//! | event lane | 8,192 changes | actors stop draining, nothing is lost |
//! | changes that a supervisor holds back | 256 | the newest are dropped, logged with their number |
//! | open events, with conditions kept aside off the air | 200,000 | refused, counted |
//! | conditions whose raises are remembered | 200,000 | further ones do not flap |
//! | desk: changes per commit group | 256 | the next group |
//! | wait for a commit | 2 s | marked as not stored |
//! | ring for a sick store | 10,000 changes (and 1,000 in hand) | the oldest go, counted |
//! | queue of a sink | 10,000 changes | dropped for that sink, counted |
//! | open and stall of a source | [`source::SourceLimits`] | cut; 2 s later (15 s while resolving) abandoned |
//! | abandoned threads per stream | 2 replaced | no replacement until one returns |
//! | abandoned threads and arbiters per process | 2 % of the streams, at least 8 | `monitor_degraded`, liveness fails |
//! | one call of a detector | 2 s | its arbiter is replaced, the detector barred on that stream |
//! | items of one turn, in time | 10 ms, and the call that is under way | the next turn |
//! | time of a detector on a track | a quarter of a core over 5 s | it rests; hungry for a minute: disabled, with an event |
//! | panics of a detector on a track | 5 in 5 minutes | disabled, with an event |
//! | failures of ours per stream | 5 in 5 minutes | quarantine, 15 minutes to 4 hours |
//! | hosts in the connect bucket | 10,000 | those with a full bucket are forgotten |
//! | latencies per stream | 64 KB | longer ones count as 60 s |
//! | end of a stream, of the store, of the sinks | 2 s each | logged, left behind |
//! | end of all streams | 5 s | logged, left behind |
#![forbid(unsafe_code)]

pub mod alarm_model;
pub mod arbiters;
pub mod bell;
pub mod connect_bucket;
pub mod coverage;
pub mod cpu_accounts;
pub mod detector;
pub mod detector_actor;
pub mod detector_budget;
pub mod detector_group;
pub mod detector_host;
mod detector_missed;
pub mod event;
pub mod event_desk;
pub mod event_lifecycle;
pub mod fan_out;
pub mod frame;
pub mod group_clock;
mod group_notes;
mod group_parts;
pub mod incident;
mod incident_causes;
pub mod incident_stage;
pub mod incidents;
pub mod ingest;
pub mod input_watch;
pub mod item;
pub mod lag;
pub mod lane;
pub mod latency;
pub mod lifeline;
pub mod load_watch;
mod load_words;
pub mod media_time;
pub mod memory_budget;
pub mod meters;
pub mod monitor;
pub mod paced;
pub mod precedence;
pub mod probe_report;
pub mod pulse;
pub mod record;
pub mod restart;
pub mod scripted;
pub mod setup;
pub mod severity;
pub mod shedding;
pub mod silence;
pub mod sink;
pub mod sink_thread;
pub mod source;
pub mod status;
pub mod store_thread;
pub mod stream_groups;
pub mod stream_life;
pub mod stream_table;
pub mod supervisor;
pub mod tier;
pub mod track;
pub mod verdict_notes;
pub mod wording;
pub mod worker;
