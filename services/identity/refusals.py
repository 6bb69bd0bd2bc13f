"""The refusals of identity that a caller may see, each with a name and a sentence in both languages.

Part of the domain; those of one subject alone, such as rights or the hotline, stand beside its rules.
"""

from __future__ import annotations

from shared.refusals import FieldProblem, HeldBack, Refused


class RequestInvalid(Refused):
    """A call of the wrong shape."""

    vi = "Yêu cầu không hợp lệ; xem từng mục."
    en = "The request is not valid; see each field."


class LogInFailed(Refused):
    """Unknown user and wrong password look the same."""

    vi = "Tên đăng nhập hoặc mật khẩu không đúng."
    en = "The user name or the password is wrong."


class FirstPasswordExpired(Refused):
    """Told only to somebody who knew the right password."""

    vi = (
        "Mật khẩu được cấp đã hết hạn. Xin cấp lại mật khẩu qua e-mail trong ứng dụng, gọi 1900 9068 nhánh 8,"
        " hoặc đến cơ quan BHXH."
    )
    en = (
        "The password that was issued has expired. Please reset it by e-mail in the app, call 1900 9068,"
        " key 8, or visit the agency."
    )


class TooManyTries(HeldBack):
    """Throttled, for a moment only, by one's own tries or by others'."""

    vi = "Có quá nhiều lần thử sai. Xin thử lại sau {wait}."
    en = "There were too many wrong tries. Please try again in {wait}."
    vi_citizen = (
        "Có quá nhiều lần đăng nhập sai, có thể do người khác. Xin thử lại sau {wait}, cấp lại mật khẩu qua"
        " e-mail trong ứng dụng, hoặc gọi 1900 9068 nhánh 8."
    )
    en_citizen = (
        "There were too many wrong log-ins, perhaps by others. Please try again in {wait}, reset the password"
        " by e-mail in the app, or call 1900 9068, key 8."
    )

    def __init__(self, *, retry_after_seconds: int, citizen: bool = False) -> None:
        """``citizen``: at the log-in of one, whom strangers may hold back and to whom other ways are open."""
        if citizen:
            self.vi, self.en = self.vi_citizen, self.en_citizen
        super().__init__(retry_after_seconds=retry_after_seconds)


class TokenInvalid(Refused):
    """A token that is missing, foreign, expired or of an ended session."""

    vi = "Phiên đăng nhập không hợp lệ hoặc đã hết hạn. Xin đăng nhập lại."
    en = "The session is not valid or has expired. Please log in again."


class PasswordChangeRequired(Refused):
    """A session of an issued password, the first or a later one, may do nothing but choose one's own."""

    vi = "Xin đổi mật khẩu được cấp thành mật khẩu của riêng mình trước khi tiếp tục."
    en = "Please change the password that was issued to one of your own before going on."


class DeviceUnknown(Refused):
    """No such device of this account."""

    vi = "Không tìm thấy thiết bị này trong tài khoản."
    en = "The account has no such device."


class OldPasswordWrong(Refused):
    """The password that is to be replaced was not given right."""

    vi = "Mật khẩu hiện tại không đúng."
    en = "The current password is wrong."

    def __init__(self, field: str = "old_password") -> None:
        problem = FieldProblem(field, "Nhập mật khẩu đang dùng.", "Give the password in use.")
        super().__init__(problem)


class CaseUnknown(Refused):
    """No such case at the officer's own agency."""

    vi = "Không tìm thấy hồ sơ tại cơ quan của bạn."
    en = "There is no such case at your agency."


class PhotoUnknown(Refused):
    """The case has no photo of this kind."""

    vi = "Hồ sơ không có ảnh này."
    en = "The case has no such photo."


class CaseAlreadyEnded(Refused):
    """A case has one ending; ``status`` in the details says which."""

    vi = "Hồ sơ đã kết thúc."
    en = "The case has already ended."


class CaseClaimed(Refused):
    """A colleague works on the case; ``until`` in the details says how long at the most."""

    vi = "Đồng nghiệp khác đang xử lý hồ sơ này."
    en = "A colleague is working on this case."


class SecondOfficerNeeded(Refused):
    """Whoever confirmed first does not approve: two officers, two pairs of eyes."""

    vi = "Hồ sơ phải do một cán bộ khác phê duyệt."
    en = "Another officer has to approve this case."


class PapersNotChecked(Refused):
    """No confirmation while the papers were not seen."""

    vi = "Phải đối chiếu giấy tờ gốc trước khi xác nhận."
    en = "The original papers must be checked before confirming."

    def __init__(self) -> None:
        seen = FieldProblem(
            "papers_checked",
            "Gửi true khi đã đối chiếu giấy tờ gốc.",
            "Send true once the original papers were checked.",
        )
        super().__init__(seen)


class ReasonMissing(Refused):
    """A citizen who is turned away is told why."""

    vi = "Phải ghi lý do từ chối."
    en = "A reason must be given."


class PersonNumberTaken(Refused):
    """The code and the personal number belong to two different verified people."""

    vi = "Mã số BHXH và số định danh thuộc về hai người đã được xác thực khác nhau."
    en = "The BHXH code and the personal number belong to two different verified people."


class AccountUnknown(Refused):
    """No account of this number whose person was verified at the officer's agency."""

    vi = "Không tìm thấy tài khoản của mã số này tại cơ quan của bạn."
    en = "There is no account of this number at your agency."


class ContactChangePending(Refused):
    """One change after the other."""

    vi = "Một lần đổi liên hệ khác của tài khoản này đang được xử lý."
    en = "Another change of this account's contact is under way."


class ActivationRefused(Refused):
    """A link that is wrong, late, used, replaced or tried too often, or another's BHXH code: all alike."""

    vi = (
        "Liên kết hoặc mã số BHXH không đúng, hoặc liên kết không còn hiệu lực. Xin kiểm tra lại, gọi"
        " 1900 9068 nhánh 8, hoặc đến cơ quan BHXH."
    )
    en = (
        "The link or the BHXH code is wrong, or the link is no longer valid. Please check them, call"
        " 1900 9068, key 8, or visit the agency."
    )


class NotYetVerified(Refused):
    """There is no account to hand over yet."""

    vi = "Hồ sơ chưa được xác thực, hoặc tài khoản đang được tạo. Xin xác thực hồ sơ rồi thử lại."
    en = "The case is not verified, or its account is being made. Verify the case, then try again."


class PasswordReceived(Refused):
    """No slip for an account whose holder has chosen a password since the case was verified."""

    vi = "Người này đã nhận mật khẩu và tự đặt mật khẩu mới. Nếu quên, dùng tổng đài 1900 9068 hoặc e-mail."
    en = (
        "This person has received the password and chosen another. Who forgot it uses the hotline"
        " 1900 9068 or the e-mail."
    )


class StaffUserTaken(Refused):
    """One user name, one member of staff."""

    vi = "Tên đăng nhập này đã có."
    en = "This user name is taken."
