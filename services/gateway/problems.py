"""Every error as problem+json (RFC 9457): the one table from a refusal's name to what HTTP says."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from shared import logs, tracing
from shared.messaging.calls import DATABASE_AWAY, CallFailed, CallRefused
from shared.objects import ObjectsAway
from shared.refusals import FieldProblem

log = logs.get(__name__)
TYPE = "https://vssid.example/problems/"
RETRY_AFTER_SECONDS = 3


@dataclass(frozen=True)
class Kind:
    """What HTTP says of one kind of refusal: the status and a title that never changes."""

    status: int
    vi: str
    en: str


KINDS: dict[str, Kind] = {
    # seen by the gateway itself
    "NotFound": Kind(404, "Không tìm thấy", "Not found"),
    "MethodNotAllowed": Kind(405, "Phương thức không được hỗ trợ", "Method not allowed"),
    "NotJson": Kind(400, "Nội dung không phải JSON hợp lệ", "The body is not valid JSON"),
    "BodyTooLarge": Kind(413, "Nội dung quá lớn", "The body is too large"),
    "UnsupportedMediaType": Kind(415, "Kiểu nội dung không được hỗ trợ", "Unsupported media type"),
    "WrongShape": Kind(422, "Nội dung sai cấu trúc", "The body has the wrong shape"),
    "BadRequest": Kind(400, "Yêu cầu không hợp lệ", "Bad request"),
    "IdempotencyKeyInvalid": Kind(400, "Idempotency-Key không hợp lệ", "Invalid Idempotency-Key"),
    "TokenMissing": Kind(401, "Chưa đăng nhập", "Not logged in"),
    "ResumeTokenMissing": Kind(401, "Thiếu mã tiếp tục hồ sơ", "The resume token is missing"),
    "IdempotencyKeyReused": Kind(409, "Idempotency-Key đã được dùng", "The Idempotency-Key was used before"),
    "ServiceAway": Kind(503, "Dịch vụ tạm thời gián đoạn", "Temporarily unavailable"),
    "InternalError": Kind(500, "Lỗi hệ thống", "Internal error"),
    # registration
    "RegistrationUnknown": Kind(404, "Không tìm thấy hồ sơ", "Registration not found"),
    "StepOutOfOrder": Kind(409, "Chưa thể thực hiện bước này", "The step is out of order"),
    "DeclarationEmptied": Kind(410, "Tờ khai đã xoá theo thời hạn", "The declaration was deleted in time"),
    "DeclarationInvalid": Kind(422, "Thông tin khai chưa đúng", "The declaration is not right"),
    "PhotoKindUnknown": Kind(404, "Loại ảnh không đúng", "Unknown kind of photo"),
    "PhotoNotNeeded": Kind(409, "Không cần ảnh này", "This photo is not needed"),
    "PhotoTooLarge": Kind(413, "Ảnh quá lớn", "The photo is too large"),
    "PhotoNotAnImage": Kind(422, "Tệp không phải là ảnh", "Not an image"),
    "PhotoBlurred": Kind(422, "Ảnh bị mờ", "The photo is blurred"),
    "PhotoWrongShape": Kind(422, "Ảnh sai khổ", "The photo has the wrong shape"),
    "PhotosBusy": Kind(503, "Đang nhận quá nhiều ảnh", "Too many photos at once"),
    "AgencyUnknown": Kind(422, "Không có cơ quan BHXH này", "Unknown agency"),
    "AgencyClosed": Kind(409, "Cơ quan BHXH đã đóng hoặc sáp nhập", "The agency was closed or merged"),
    "EmailInvalid": Kind(422, "E-mail không đúng", "The e-mail address is not right"),
    "OtpWrong": Kind(422, "Mã xác nhận không đúng", "The code is wrong"),
    "OtpExpired": Kind(410, "Mã xác nhận hết hiệu lực", "The code is no longer valid"),
    "OtpTooMany": Kind(429, "Yêu cầu quá nhiều mã xác nhận", "Too many codes asked for"),
    "OtpUnavailable": Kind(503, "Tạm thời chưa gửi được mã", "Codes cannot be sent right now"),
    "ConsentRequired": Kind(422, "Cần có sự đồng ý", "Consent is needed"),
    "SubmissionsTooMany": Kind(429, "Nộp quá nhiều lần", "Submitted too many times"),
    "ConsentUnknown": Kind(404, "Không có văn bản này", "No such text"),
    "PhoneTaken": Kind(409, "Số điện thoại đã được đăng ký", "The phone number is taken"),
    "CodeTaken": Kind(409, "Mã số đã được đăng ký", "The code is taken"),
    # identity
    "RequestInvalid": Kind(422, "Yêu cầu không hợp lệ", "The request is not valid"),
    "LogInFailed": Kind(401, "Đăng nhập không thành công", "The log-in failed"),
    "FirstPasswordExpired": Kind(403, "Mật khẩu được cấp đã hết hạn", "The issued password has expired"),
    "TotpRequired": Kind(422, "Cần mã xác thực", "A code is needed"),
    "TotpWrong": Kind(422, "Mã xác thực không đúng", "The code is wrong"),
    "EnrolmentCodeRequired": Kind(422, "Cần mã thiết lập", "A code to set up an app is needed"),
    "EnrolmentCodeWrong": Kind(422, "Mã thiết lập không đúng", "The code to set up an app is wrong"),
    "TooManyTries": Kind(429, "Quá nhiều lần thử", "Too many tries"),
    "TokenInvalid": Kind(401, "Phiên đăng nhập không hợp lệ", "The session is not valid"),
    "DeviceUnknown": Kind(404, "Không tìm thấy thiết bị", "Device not found"),
    "OldPasswordWrong": Kind(403, "Mật khẩu hiện tại không đúng", "The current password is wrong"),
    "PasswordTooWeak": Kind(422, "Mật khẩu chưa đủ an toàn", "The password is too weak"),
    "ResetRefused": Kind(422, "Mã xác nhận không dùng được", "The code cannot be used"),
    "ResetsTooMany": Kind(429, "Yêu cầu cấp lại quá nhiều lần", "Too many resets asked for"),
    "ResetsUnavailable": Kind(503, "Tạm thời chưa cấp lại được", "Passwords cannot be reset right now"),
    "ActivationRefused": Kind(422, "Không kích hoạt được", "The account is not activated"),
    "NotYetVerified": Kind(409, "Chưa được xác thực", "Not verified yet"),
    "PasswordReceived": Kind(409, "Đã nhận mật khẩu", "The password was received"),
    "CaseUnknown": Kind(404, "Không tìm thấy hồ sơ", "Case not found"),
    "PhotoUnknown": Kind(404, "Không tìm thấy ảnh", "Photo not found"),
    "CaseAlreadyEnded": Kind(409, "Hồ sơ đã kết thúc", "The case has ended"),
    "CaseClaimed": Kind(409, "Đồng nghiệp đang xử lý", "A colleague is working on it"),
    "SecondOfficerNeeded": Kind(409, "Cần cán bộ khác phê duyệt", "Another officer has to approve"),
    "PapersNotChecked": Kind(422, "Chưa đối chiếu giấy tờ", "The papers were not checked"),
    "ReasonMissing": Kind(422, "Thiếu lý do", "The reason is missing"),
    "PersonNumberTaken": Kind(409, "Hai số thuộc hai người", "The numbers are of two people"),
    "GuardianTooYoung": Kind(403, "Chưa đủ 18 tuổi", "Not of age"),
    "GuardianshipNotConfirmed": Kind(422, "Chưa xác nhận giám hộ", "The guardianship is not confirmed"),
    "GuardianshipOver": Kind(409, "Quan hệ giám hộ đã chấm dứt", "The guardianship has ended"),
    "GuardianshipUnknown": Kind(404, "Không có quan hệ giám hộ", "Guardianship not found"),
    "NotAChild": Kind(409, "Không phải trẻ em", "Not a child"),
    "ContactIsGuardians": Kind(409, "Liên hệ của người giám hộ", "The contact is the guardian's"),
    "ChildUnknown": Kind(404, "Không tìm thấy trẻ", "Child not found"),
    "AccountUnknown": Kind(404, "Không tìm thấy tài khoản", "Account not found"),
    "ContactChangePending": Kind(409, "Đang có thay đổi khác", "Another change is under way"),
    "ExportsTooMany": Kind(429, "Yêu cầu dữ liệu quá nhiều lần", "The data was asked for too often"),
    "RequestPending": Kind(409, "Đang có yêu cầu khác", "Another request waits"),
    "RequestAnswered": Kind(409, "Yêu cầu đã được trả lời", "The request was answered"),
    "PersonRequestUnknown": Kind(404, "Không tìm thấy yêu cầu", "Request not found"),
    "AnswerMissing": Kind(422, "Thiếu câu trả lời", "The answer is missing"),
    "StaffUserTaken": Kind(409, "Tên đăng nhập đã có", "The user name is taken"),
    "HotlineMismatch": Kind(422, "Không cấp lại được mật khẩu", "No password is issued"),
    "HotlineTooMany": Kind(429, "Gọi quá nhiều lần", "Too many calls"),
    "HotlineUnavailable": Kind(503, "Tạm thời chưa cấp lại được", "No password can be issued right now"),
    "SignatureMissing": Kind(401, "Thiếu chữ ký", "The signature is missing"),
    "SignatureInvalid": Kind(401, "Chữ ký không hợp lệ", "The signature is not valid"),
    "SignatureReplayed": Kind(409, "Yêu cầu đã được dùng", "The request was used before"),
    # history
    "PasswordChangeRequired": Kind(403, "Cần đổi mật khẩu trước", "The password must be changed first"),
    "CursorInvalid": Kind(422, "Con trỏ trang không hợp lệ", "The cursor is not valid"),
    "ImportInvalid": Kind(422, "Tệp có dòng sai", "The file has wrong rows"),
    "ImportKeyReused": Kind(409, "Khóa nhập đã được dùng", "The import key was used before"),
}
UNKNOWN_REFUSAL = Kind(422, "Yêu cầu không được chấp nhận", "The request was refused")

DETAILS: dict[str, tuple[str, str]] = {
    "NotFound": ("Không có nội dung nào ở địa chỉ này.", "There is nothing at this address."),
    "MethodNotAllowed": (
        "Địa chỉ này không nhận phương thức đã dùng; xem tiêu đề Allow.",
        "This address does not take that method; see the Allow header.",
    ),
    "NotJson": (
        "Hãy gửi một đối tượng JSON (UTF-8), không lồng nhau quá sâu.",
        "Send one JSON object (UTF-8), not nested too deeply.",
    ),
    "BodyTooLarge": (
        "Nội dung JSON không được vượt quá 64 KiB.",
        "A JSON body may have 64 KiB at most.",
    ),
    "UnsupportedMediaType": (
        "Hãy gửi application/json; ảnh thì gửi image/jpeg hoặc image/png.",
        "Send application/json; for a photo, image/jpeg or image/png.",
    ),
    "WrongShape": ("Xem từng mục trong errors.", "See the entries of errors."),
    "BadRequest": ("Yêu cầu không đọc được.", "The request cannot be read."),
    "IdempotencyKeyInvalid": (
        "Khóa gồm 16 đến 128 ký tự ASCII không có dấu cách, ví dụ một UUID.",
        "The key is 16 to 128 ASCII characters without spaces, for example a UUID.",
    ),
    "TokenMissing": (
        "Hãy đăng nhập và gửi tiêu đề Authorization: Bearer.",
        "Log in and send the header Authorization: Bearer.",
    ),
    "SignatureMissing": (
        "Hãy gửi các tiêu đề Signature-Input, Signature (RFC 9421) và Content-Digest (RFC 9530).",
        "Send the headers Signature-Input, Signature (RFC 9421) and Content-Digest (RFC 9530).",
    ),
    "ResumeTokenMissing": (
        "Hãy gửi tiêu đề Registration-Token đã nhận khi bắt đầu hồ sơ.",
        "Send the header Registration-Token that was handed out when the registration began.",
    ),
    "ServiceAway": (
        "Hệ thống đang bận hoặc bảo trì. Xin thử lại sau ít giây.",
        "The system is busy or under maintenance. Please try again in some seconds.",
    ),
    "InternalError": (
        "Đã có lỗi ngoài dự kiến. Khi liên hệ hỗ trợ, xin cung cấp trace_id.",
        "Something unexpected happened. Quote trace_id when you ask for help.",
    ),
}


class Problem(Exception):
    """A refusal by the gateway itself, named as a row of ``KINDS``."""

    def __init__(self, name: str, *errors: FieldProblem, vi: str = "", en: str = "") -> None:
        super().__init__(name)
        self.name = name
        self.errors = errors
        self.vi, self.en = (vi, en) if vi else DETAILS[name]


def language() -> str:
    """``vi`` unless the caller prefers English."""
    return request.accept_languages.best_match(["vi", "en"], default="vi") or "vi"


def slug(name: str) -> str:
    """``PhoneTaken`` → ``phone-taken``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()


def answer(
    name: str,
    *,
    vi: str,
    en: str,
    errors: tuple[FieldProblem, ...] | list[FieldProblem] = (),
    details: dict[str, Any] | None = None,
) -> Response:
    """The problem+json response of one refusal, in the caller's language."""
    kind = KINDS.get(name, UNKNOWN_REFUSAL)
    english = language() == "en"
    context = tracing.current()
    body: dict[str, Any] = {
        "type": TYPE + slug(name),
        "title": kind.en if english else kind.vi,
        "status": kind.status,
        "detail": en if english else vi,
        "instance": request.path,
        "trace_id": context.trace_id if context else None,
        "errors": [{"field": e.field, "detail": e.en if english else e.vi} for e in errors],
    }
    if details:
        body["details"] = details
    response = Response(
        json.dumps(body, ensure_ascii=False), status=kind.status, content_type="application/problem+json"
    )
    response.headers["Content-Language"] = "en" if english else "vi"
    if kind.status == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    elif kind.status == 429:
        seconds = (details or {}).get("retry_after_seconds", 60)
        response.headers["Retry-After"] = str(seconds)
    elif kind.status == 401:
        response.headers["WWW-Authenticate"] = "Signature" if name.startswith("Signature") else "Bearer"
    return response


def _of_http(error: HTTPException) -> Response:
    if error.response is not None:
        return error.response  # a redirect or an answer made on purpose
    if error.code is not None and error.code < 400:
        return error.get_response()  # type: ignore[return-value]
    names = {404: "NotFound", 405: "MethodNotAllowed", 413: "BodyTooLarge", 415: "UnsupportedMediaType"}
    name = names.get(error.code or 500, "BadRequest" if (error.code or 500) < 500 else "InternalError")
    vi, en = DETAILS[name]
    response = answer(name, vi=vi, en=en)
    allowed = getattr(error, "valid_methods", None)
    if allowed:
        response.headers["Allow"] = ", ".join(sorted(allowed))
    return response


def _of_refusal(error: CallRefused) -> Response:
    return answer(error.name, vi=error.vi, en=error.en, errors=tuple(error.problems), details=error.details)


def _of_problem(error: Problem) -> Response:
    return answer(error.name, vi=error.vi, en=error.en, errors=error.errors)


def _of_absence(error: CallFailed) -> Response:
    if (
        error.error_id and error.reason != DATABASE_AWAY
    ):  # the service answered: it has a fault, and its log has the id
        vi, en = DETAILS["InternalError"]
        known = {"error_id": error.error_id} if error.reason == "InternalError" else None
        log.error("service failed", reason=error.reason, error_id=(known or {}).get("error_id"))
        return answer("InternalError", vi=vi, en=en, details=known)
    log.warning("service away", kind=type(error).__name__)
    vi, en = DETAILS["ServiceAway"]
    return answer("ServiceAway", vi=vi, en=en)


def _of_objects_away(_error: ObjectsAway) -> Response:
    vi, en = DETAILS["ServiceAway"]
    return answer("ServiceAway", vi=vi, en=en)


def _of_surprise(error: Exception) -> Response:
    error_id = uuid.uuid4().hex
    log.error("unexpected error", error_id=error_id, exc_info=error)
    vi, en = DETAILS["InternalError"]
    return answer("InternalError", vi=vi, en=en, details={"error_id": error_id})


def register(app: Flask) -> None:
    """Have every error of ``app`` told as problem+json."""
    app.register_error_handler(Problem, _of_problem)
    app.register_error_handler(CallRefused, _of_refusal)
    app.register_error_handler(CallFailed, _of_absence)  # and its kinds: too late, unknown
    app.register_error_handler(ObjectsAway, _of_objects_away)
    app.register_error_handler(HTTPException, _of_http)
    app.register_error_handler(Exception, _of_surprise)
