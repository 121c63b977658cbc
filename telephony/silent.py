"""The AMI events that tell nothing of a call which others do not tell as well, each with the reason (pure).

All names that Asterisk 18 to 22 writes are here or in `telephony.ami` (their source, and the documentation in it), so
what `knows` does not know is new, or not Asterisk's.
"""

from __future__ import annotations

from collections.abc import Mapping

REASONS: Mapping[str, str] = {
    "each channel's BridgeEnter and BridgeLeave tell it, also when bridges merge (bridge.c pulls and pushes each)": """
        BridgeCreate BridgeDestroy BridgeMerge BridgeVideoSourceUpdate BridgeInfoChannel BridgeListItem
        ConfbridgeStart ConfbridgeEnd ConfbridgeJoin ConfbridgeLeave ConfbridgeList ConfbridgeListRooms""",
    "both halves of a Local channel are born under one linkedid and are paired by their names": """
        LocalBridge LocalOptimizationBegin LocalOptimizationEnd""",
    "the channel's next message tells its name, caller or state as it then is": """
        Rename NewConnectedLine NewAccountCode""",
    "it asks for an end, or tells of one, that Hangup tells with its cause": """
        SoftHangupRequest HangupHandlerPush HangupHandlerPop HangupHandlerRun ChannelHungup""",
    "DialEnd and Hangup tell how the channel of a failed originate ended; without a channel there was no call": """
        OriginateResponse""",
    "Hold and Unhold tell holding; music is also played to who waits in a queue or is parked": """
        MusicOnHoldStart MusicOnHoldStop""",
    "the queue's caller is told by QueueCaller…, its members by DialBegin, DialEnd, BridgeEnter and Hangup": """
        AgentCalled AgentConnect AgentComplete AgentDump AgentRingNoAnswer QueueEntry QueueParams QueueSummary""",
    "it tells what a member of a queue or an agent does, whatever the call": """
        QueueMember QueueMemberAdded QueueMemberRemoved QueueMemberPause QueueMemberPaused QueueMemberPenalty
        QueueMemberRinginuse QueueMemberStatus AgentLogin AgentLogoff Agents""",
    "the file says itself that it is complete, and MixMonitorStart tells which channels are recorded": """
        MixMonitorStop MonitorStart MonitorStop ConfbridgeRecord ConfbridgeStopRecord""",
    "it repeats in sum what single events told": "Cdr",
    "it tells of a device, an account or a registration, not of a call": """
        ContactStatus ContactStatusDetail DeviceStateChange ExtensionStatus PeerStatus PresenceStateChange
        PresenceStatus Registry DNDState JabberStatus MobileStatus MessageWaiting MiniVoiceMail MWIGet
        VoicemailPasswordChange SIPQualifyPeerDone ChannelReload""",
    "it tells of a line card": """
        Alarm AlarmClear SpanAlarm SpanAlarmClear DAHDIChannel DAHDIShowChannels DAHDIShowStatus""",
    "it tells sound, keys or signals inside a talk": """
        DTMFBegin DTMFEnd Flash Wink RTCPReceived RTCPSent ChannelTalkingStart ChannelTalkingStop ConfbridgeTalking
        ConfbridgeMute ConfbridgeUnmute ChanSpyStart ChanSpyStop MCID AOC-D AOC-E AOC-S FAXSession FAXSessionsEntry
        FAXStats FAXStatus ReceiveFAX SendFAX""",
    "MeetMe mixes without a bridge and under a linkedid for each of its people: nothing ties them to one call": """
        MeetmeJoin MeetmeLeave MeetmeEnd MeetmeList MeetmeListRooms MeetmeMute MeetmeTalkRequest MeetmeTalking""",
    "it tells of call completion, a promise of a later call of its own": """
        CCAvailable CCCallerRecalling CCCallerStartMonitoring CCCallerStopMonitoring CCFailure CCMonitorFailed
        CCOfferTimerStart CCRecallComplete CCRequestAcknowledged CCRequested""",
    "it tells how an AGI script runs": "AGIExecStart AGIExecEnd AsyncAGIStart AsyncAGIExec AsyncAGIEnd",
    "it tells of a login, at the manager or at SIP": """
        AuthMethodNotAllowed ChallengeSent ChallengeResponseFailed FailedACL InvalidAccountID InvalidPassword
        InvalidTransport LoadAverageLimit MemoryLimit RequestBadFormat RequestNotAllowed RequestNotSupported
        SessionLimit SessionTimeout SuccessfulAuth UnexpectedAddress""",
    "it tells of the PBX itself": """
        FullyBooted Shutdown Reload Load Unload ModuleLoad LogChannel TestEvent DeadlockStart CloseSession
        PJSIPMaintenanceStatus Placeholder FakeMI""",
    "it is an item of a list that somebody asked for": """
        AorDetail AorList AuthDetail AuthList ContactList EndpointDetail EndpointList IdentifyDetail
        InboundRegistrationDetail InboundSubscriptionDetail OutboundRegistrationDetail OutboundSubscriptionDetail
        ResourceListDetail TransportDetail BridgeTechnologyListItem CoreShowChannelMap DBGetResponse DBGetTreeResponse
        DeviceEntry LineEntry ListDialplan Parkinglot PeerEntry RegistryEntry""",
}
"""Reason -> names as Asterisk spells them."""

_SILENT = frozenset(name.lower() for names in REASONS.values() for name in names.split())


def is_silent(name: str) -> bool:
    """Whether an event of that lower-case name is known to tell nothing of a call; the end of a list tells nothing."""
    return name in _SILENT or name.endswith("complete")
