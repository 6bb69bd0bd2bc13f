"""The refusals of registration that a caller may see, each with a name and a sentence in both languages.

Part of the domain; ``DeclarationInvalid`` stands beside the form it judges.
"""

from __future__ import annotations

from shared.refusals import FieldProblem, HeldBack, Refused


class RegistrationUnknown(Refused):
    """No such registration, or not with this token: the two are never told apart."""

    vi = "Không tìm thấy hồ sơ đăng ký, hoặc mã tiếp tục không đúng."
    en = "No such registration, or the resume token is not the right one."


class StepOutOfOrder(Refused):
    """The step cannot be taken now; the fields say what is missing, ``status`` where it stands."""

    vi = "Chưa thể thực hiện bước này."
    en = "This step cannot be taken now."


MISSING = {
    "declaration": ("Hoàn thành tờ khai (bước 2).", "Complete the declaration (step 2)."),
    "photos.portrait": ("Chụp ảnh chân dung 4x6 (bước 3).", "Take the 4x6 portrait (step 3)."),
    "photos.id_front": (
        "Chụp mặt trước giấy tờ (bước 3).",
        "Take a photo of the ID document's front (step 3).",
    ),
    "photos.id_back": ("Chụp mặt sau giấy tờ (bước 3).", "Take a photo of the ID document's back (step 3)."),
    "photos.birth_certificate": (
        "Chụp giấy khai sinh (bước 3).",
        "Take a photo of the birth certificate (step 3).",
    ),
    "agency": ("Chọn cơ quan BHXH và nhập e-mail (bước 4).", "Choose an agency, enter an e-mail (step 4)."),
    "answer": ("Trả lời câu hỏi của cơ quan BHXH.", "Answer what the agency has asked."),
    "email": ("Xác nhận e-mail bằng mã đã gửi (bước 4).", "Confirm the e-mail with the code sent (step 4)."),
}
"""What ``StepOutOfOrder`` says of what is missing, by its name in ``Registration.missing``."""


class DeclarationEmptied(Refused):
    """Number, times and steps are all that is left of it."""

    vi = "Tờ khai đã xoá theo thời hạn lưu giữ hoặc theo yêu cầu của bạn. Dòng thời gian vẫn xem được."
    en = (
        "The declaration was deleted: its time was over, or you asked for it. The timeline can still be read."
    )


class PhotoKindUnknown(Refused):
    vi = "Loại ảnh không đúng: portrait, id_front, id_back hoặc birth_certificate."
    en = "The kind of photo is not known: portrait, id_front, id_back or birth_certificate."


class PhotoNotNeeded(Refused):
    vi = "Hồ sơ này không cần ảnh loại này."
    en = "This application needs no photo of this kind."


class PhotoUnknown(Refused):
    vi = "Không tìm thấy ảnh vừa tải lên. Vui lòng tải lại."
    en = "The uploaded photo was not found. Please upload it again."


class PhotoTooLarge(Refused):
    vi = "Ảnh quá lớn. Vui lòng chụp hoặc lưu lại ảnh với kích thước nhỏ hơn."
    en = "The photo is too large. Please take it or save it again at a smaller size."


class PhotoNotAnImage(Refused):
    vi = "Tệp không phải là ảnh JPEG hoặc PNG đọc được. Vui lòng chụp lại."
    en = "The file is not a readable JPEG or PNG image. Please take the photo again."


class PhotoBlurred(Refused):
    vi = "Ảnh bị mờ."
    en = "The photo is blurred."


class PhotoWrongShape(Refused):
    vi = "Khổ ảnh không đúng."
    en = "The photo has the wrong shape."


class AgencyUnknown(Refused):
    vi = "Cơ quan BHXH không có trong danh sách."
    en = "The agency is not on the list."

    def __init__(self) -> None:
        super().__init__(
            FieldProblem("agency_code", "Chọn một cơ quan trong danh sách.", "Choose an agency of the list.")
        )


class AgencyClosed(Refused):
    """The agency was closed or merged: applications stay with it, no new one comes."""

    vi = "Cơ quan BHXH này không còn tiếp nhận hồ sơ mới."
    en = "This agency takes no new applications any more."

    def __init__(self, successor: str | None = None) -> None:
        """``successor`` is how the agency that took over is shown."""
        super().__init__(
            FieldProblem(
                "agency_code",
                f"Chọn {successor}." if successor else "Chọn một cơ quan khác trong danh sách.",
                f"Choose {successor}." if successor else "Choose another agency of the list.",
            )
        )


class EmailInvalid(Refused):
    vi = "Địa chỉ e-mail không đúng."
    en = "The e-mail address is not right."

    def __init__(self) -> None:
        super().__init__(
            FieldProblem(
                "email",
                "Nhập địa chỉ e-mail dạng ten@example.vn.",
                "Enter an e-mail address like name@example.vn.",
            )
        )


class PhotosBusy(Refused):
    """More photos at once than can be looked at; nothing is wrong with this one."""

    vi = "Hệ thống đang nhận nhiều ảnh cùng lúc. Vui lòng gửi lại ảnh sau ít giây."
    en = "Many photos are arriving at once. Please send the photo again in some seconds."


class OtpWrong(Refused):
    """``tries_left`` tells how often the code may still be tried."""

    vi = "Mã xác nhận không đúng."
    en = "The code is not right."

    def __init__(self, *, tries_left: int) -> None:
        typed = FieldProblem("otp", "Nhập mã trong e-mail mới nhất.", "Give the code of the latest e-mail.")
        super().__init__(typed, tries_left=tries_left)


class OtpExpired(Refused):
    """Too late, already used, replaced by a newer one, or tried too often."""

    vi = "Mã xác nhận không còn hiệu lực. Vui lòng yêu cầu mã mới; thông tin đã nhập vẫn được giữ."
    en = "The code is no longer valid. Please ask for a new one; what you entered is kept."


class OtpTooMany(HeldBack):
    vi = "Đã yêu cầu quá nhiều mã xác nhận. Vui lòng thử lại sau {wait}; thông tin đã nhập vẫn được giữ."
    en = "Too many codes were asked for. Please try again in {wait}; what you entered is kept."


class OtpUnavailable(Refused):
    vi = "Tạm thời chưa gửi được mã xác nhận. Vui lòng thử lại sau ít phút; thông tin đã nhập vẫn được giữ."
    en = "Codes cannot be sent right now. Please try again in a few minutes; what you entered is kept."


class ConsentRequired(Refused):
    vi = "Cần đồng ý với văn bản hiện hành về xử lý dữ liệu cá nhân."
    en = "Consent to the text in force on personal data is needed."


class ConsentUnknown(Refused):
    vi = "Không có văn bản về xử lý dữ liệu cá nhân với phiên bản này."
    en = "There is no text on personal data of this version."


class PhoneTaken(Refused):
    vi = "Mỗi số điện thoại chỉ được đăng ký cho 1 mã số."
    en = "Each phone number can be registered for one code only."

    def __init__(self) -> None:
        super().__init__(
            FieldProblem(
                "phone",
                "Dùng số điện thoại khác chính chủ, hoặc đến cơ quan BHXH để đổi số điện thoại.",
                "Use another phone number of your own, or have it changed at the agency.",
            )
        )


class SubmissionsTooMany(HeldBack):
    """``retry_after_seconds`` tells when again. Told whatever was submitted."""

    vi = "Đã nộp quá nhiều lần. Vui lòng thử lại sau {wait}; thông tin đã nhập vẫn được giữ."
    en = "Submitted too many times. Please try again in {wait}; what you entered is kept."


class AccountUnknown(Refused):
    vi = "Chưa có tài khoản nào cho mã số này."
    en = "There is no account for this code."


class CodeTaken(Refused):
    vi = "Mã số BHXH này đã có hồ sơ đăng ký."
    en = "This BHXH code already has a registration."

    def __init__(self) -> None:
        super().__init__(
            FieldProblem(
                "code",
                "Nếu đây là mã số của bạn, hãy đến cơ quan BHXH cùng giấy tờ tùy thân.",
                "If this is your code, please visit the agency with your ID document.",
            )
        )
