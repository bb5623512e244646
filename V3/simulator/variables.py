"""The channel variables FreeSWITCH sets by itself, in the order of a call's life. Pure: legs in, dictionaries out.

Names as seen on FreeSWITCH 1.10.12; values plausible. Nothing here holds but for being there: robots read a few
(``hangup_cause_q850``, ``sip_term_status``, ``billmsec``), the contract test compares the names.
"""

from __future__ import annotations

from datetime import UTC, datetime

from V3.simulator.leg import Leg
from V3.simulator.outcomes import Outcome, q850

__all__ = ["answer_variables", "birth_variables", "created_variables", "final_variables", "refusal_variables"]

_SDP = (
    "v=0\r\no=FreeSWITCH 1795197216 1795197217 IN IP4 127.0.0.1\r\ns=FreeSWITCH\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 20000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n"
)
_MEDIA_DIRECTIONS = {"video": "inactive", "text": "inactive", "audio": "sendrecv"}


def birth_variables(leg: Leg, session_id: int) -> dict[str, str]:
    """What a channel has before it is anything: all that a bare CHANNEL_DESTROY shows."""
    return {
        "direction": "outbound" if leg.outbound else "inbound",
        **({"is_outbound": "true"} if leg.outbound else {}),
        "uuid": leg.uuid,
        "call_uuid": leg.uuid,
        "session_id": str(session_id),
    }


def created_variables(leg: Leg, *, other_leg: str, host: str, early_media: bool) -> dict[str, str]:
    """What CHANNEL_CREATE adds."""
    codec = {"read_codec": "L16", "read_rate": "8000", "write_codec": "L16", "write_rate": "8000"}
    loopback = {"other_loopback_leg_uuid": other_leg, "loopback_leg": "A" if leg.outbound else "B"}
    if not leg.outbound:
        return {"channel_name": leg.name, **codec, **loopback}
    common = {"channel_name": leg.name, "originate_early_media": str(early_media).lower()}
    if leg.kind == "loopback":
        return {**common, **codec, "originate_endpoint": "loopback", **loopback}
    return {
        **common,
        "originate_endpoint": "sofia",
        "sip_local_network_addr": "127.0.0.1",
        "sip_profile_name": "internal",
        "video_media_flow": "disabled",
        "text_media_flow": "disabled",
        "sip_destination_url": f"sip:{leg.destination}@{host}",
        "rtp_use_codec_string": "PCMU,PCMA",
        "local_media_ip": "127.0.0.1",
        "local_media_port": "20000",
        "advertised_media_ip": "127.0.0.1",
        "audio_media_flow": "sendrecv",
        "rtp_local_sdp_str": _SDP,
        "sip_outgoing_contact_uri": "<sip:mod_sofia@127.0.0.1:5080>",
        "sip_req_uri": f"{leg.destination}@{host}",
        "sip_to_host": host,
        "sip_from_host": "127.0.0.1",
        "sofia_profile_name": "internal",
        "recovery_profile_name": "internal",
        "sofia_profile_url": "sip:mod_sofia@127.0.0.1:5080",
    }


def dialog_variables(leg: Leg) -> dict[str, str]:
    """What the first SIP response with a dialog (180, 183, 200) adds."""
    user, caller = leg.destination, "0000000000"
    return {
        "sip_reply_host": "127.0.0.1",
        "sip_reply_port": "5080",
        "sip_network_ip": "127.0.0.1",
        "sip_network_port": "5080",
        "sip_user_agent": "simulated-callee",
        "sip_allow": "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE",
        "sip_recover_contact": f"<sip:{user}@127.0.0.1:5080;transport=udp>",
        "sip_full_via": "SIP/2.0/UDP 127.0.0.1:5080;rport=5080;branch=z9hG4bKsimulated",
        "sip_recover_via": "SIP/2.0/UDP 127.0.0.1:5080;rport=5080;branch=z9hG4bKsimulated",
        "sip_full_from": f"<sip:{caller}@127.0.0.1>;tag=robot",
        "sip_full_to": f"<sip:{user}@127.0.0.1:5080>;tag=callee",
        "sip_from_user": caller,
        "sip_from_uri": f"{caller}@127.0.0.1",
        "sip_to_user": user,
        "sip_to_port": "5080",
        "sip_to_uri": f"{user}@127.0.0.1:5080",
        "sip_to_host": "127.0.0.1",
        "sip_contact_params": "transport=udp",
        "sip_contact_user": user,
        "sip_contact_port": "5080",
        "sip_contact_uri": f"{user}@127.0.0.1:5080",
        "sip_contact_host": "127.0.0.1",
        "sip_to_tag": "callee",
        "sip_from_tag": "robot",
        "sip_cseq": "123056637",
        "sip_call_id": f"{leg.uuid}@simulator",
    }


def sdp_variables() -> dict[str, str]:
    """What a response with an SDP (183, 200) adds."""
    return {"switch_r_sdp": _SDP, "ep_codec_string": "CORE_PCM_MODULE.PCMU@8000h@20i@64000b"}


def media_variables() -> dict[str, str]:
    """What the start of RTP adds."""
    return {
        **{f"remote_{kind}_media_flow": value for kind, value in _MEDIA_DIRECTIONS.items()},
        "rtp_audio_recv_pt": "0",
        "rtp_use_codec_name": "PCMU",
        "rtp_use_codec_rate": "8000",
        "rtp_use_codec_ptime": "20",
        "rtp_use_codec_channels": "1",
        "rtp_last_audio_codec_string": "PCMU@8000h@20i@1c",
        "read_codec": "PCMU",
        "original_read_codec": "PCMU",
        "read_rate": "8000",
        "original_read_rate": "8000",
        "write_codec": "PCMU",
        "write_rate": "8000",
        "dtmf_type": "rfc2833",
        "rtp_use_timer_name": "soft",
        "rtp_use_pt": "0",
        "rtp_use_ssrc": "2602291762",
        "rtp_2833_send_payload": "101",
        "rtp_2833_recv_payload": "101",
        "remote_media_ip": "127.0.0.1",
        "remote_media_port": "20002",
    }


def answer_variables(leg: Leg) -> dict[str, str]:
    """All that a 200 OK adds to a SIP leg; nothing on loopback."""
    return {} if leg.kind == "loopback" else {**dialog_variables(leg), **sdp_variables(), **media_variables()}


def refusal_variables(leg: Leg, outcome: Outcome, *, unreachable: bool) -> dict[str, str]:
    """What a final SIP failure adds; nothing on loopback."""
    if leg.kind == "loopback":
        return {}
    port = "0" if unreachable else "5080"
    host = {} if unreachable else {"sip_reply_host": "127.0.0.1", "sip_network_ip": "127.0.0.1"}
    return {
        "sip_call_id": f"{leg.uuid}@simulator",
        **host,
        "sip_reply_port": port,
        "sip_network_port": port,
        "sip_hangup_disposition": "recv_refuse",
        "sip_invite_failure_status": str(outcome.sip_status),
        "sip_invite_failure_phrase": outcome.sip_phrase,
        "sip_term_status": str(outcome.sip_status),
        "proto_specific_hangup_cause": f"sip:{outcome.sip_status}",
        "sip_term_cause": str(q850(outcome.cause)),
    }


def final_variables(leg: Leg, *, digits: str, application: tuple[str, str], rtp: bool) -> dict[str, str]:
    """What CHANNEL_HANGUP_COMPLETE adds: cause, stamps and lengths. ``application`` is the last one run."""
    stamps = {"start": leg.created_us, "profile_start": leg.created_us, "answer": leg.answered_us}
    stamps |= {"progress": leg.progress_us, "progress_media": leg.progress_media_us, "end": leg.hangup_us}
    found = {
        "hangup_cause": leg.hangup_cause,
        "hangup_cause_q850": str(q850(leg.hangup_cause)),
        "digits_dialed": digits or "none",
        **{f"{name}_stamp": _stamp(us) for name, us in stamps.items() if us},
    }
    for name in ("start", "profile_start", "answer", "bridge", "last_hold", "resurrect", "progress", "progress_media"):
        us = stamps.get(name, 0)
        found |= {f"{name}_epoch": str(us // 1_000_000), f"{name}_uepoch": str(us)}
    found |= {f"hold_accum_{unit}": "0" for unit in ("seconds", "usec", "ms")}
    found |= {"end_epoch": str(leg.hangup_us // 1_000_000), "end_uepoch": str(leg.hangup_us)}
    if application[0]:
        found["last_app"] = application[0]
    if application[1]:
        found["last_arg"] = application[1]
    found["caller_id"] = f'"{leg.caller_name}" <{leg.caller_number}>' if leg.caller_name else leg.caller_number
    return {**found, **_lengths(leg), **(_rtp_statistics() if rtp else {})}


def _lengths(leg: Leg) -> dict[str, str]:
    def since(us: int, start_us: int) -> int:
        return max(0, us - start_us) if us else 0

    lengths_us = {
        "duration": leg.hangup_us - leg.created_us,
        "bill": since(leg.hangup_us, leg.answered_us) if leg.answered_us else 0,
        "progress": since(leg.progress_us, leg.created_us),
        "answer": since(leg.answered_us, leg.created_us),
        "wait": 0,
        "progress_media": since(leg.progress_media_us, leg.created_us),
        "flow_bill": since(leg.hangup_us, leg.created_us) if leg.answered_us else 0,
    }
    found = {}
    for unit, divisor in (("sec", 1_000_000), ("msec", 1000), ("usec", 1)):
        for name, us in lengths_us.items():
            if name == "duration":
                key = {"sec": "duration", "msec": "mduration", "usec": "uduration"}[unit]
            else:
                key = f"{name}{unit}"
            found[key] = str(round(us / divisor))
    return found


def _rtp_statistics() -> dict[str, str]:
    into = "raw_bytes media_bytes packet_count media_packet_count skip_packet_count jitter_packet_count"
    into += " dtmf_packet_count cng_packet_count flush_packet_count largest_jb_size jitter_min_variance"
    into += " jitter_max_variance jitter_loss_rate jitter_burst_rate mean_interval flaw_total quality_percentage mos"
    out = "raw_bytes media_bytes packet_count media_packet_count skip_packet_count dtmf_packet_count cng_packet_count"
    found = {f"rtp_audio_in_{name}": "0" for name in into.split()}
    found |= {"rtp_audio_in_quality_percentage": "100.00", "rtp_audio_in_mos": "4.50"}
    found |= {f"rtp_audio_out_{name}": "0" for name in out.split()}
    return {**found, "rtp_audio_rtcp_packet_count": "0", "rtp_audio_rtcp_octet_count": "0"}


def _stamp(us: int) -> str:
    return f"{datetime.fromtimestamp(us / 1e6, UTC):%Y-%m-%d %H:%M:%S}"
