"""Vietnamese news as scrapers find it: written for these tests, promotion of several kinds put into it."""

FLOOD = (
    "Chiều nay, mưa lớn kéo dài gần hai giờ khiến nhiều tuyến đường tại phường Phan Đình Phùng ngập sâu. "
    "Nước dâng đến nửa bánh xe, hàng chục xe máy chết máy phải dắt bộ. "
    "Lực lượng chức năng đã có mặt để phân luồng và hỗ trợ người dân qua đoạn ngập."
)
SCHOOL = (
    "Sáng thứ Hai, hơn một nghìn học sinh dự lễ khai giảng năm học mới tại phường Quyết Thắng. "
    "Nhà trường cho biết các phòng học đã được sửa chữa trong hè. Phụ huynh phấn khởi đưa con đến trường."
)
INJECTED = {
    "a sentence of betting": FLOOD.replace(
        "Nước dâng", "Soi kèo nhà cái hôm nay, nạp lần đầu nhận thưởng tại keo88.vip. Nước dâng"
    ),
    "a match table inside a sentence": FLOOD.replace(
        "ngập sâu.", "ngập sâu, bảng xếp hạng giải ngoại hạng anh, giao thông ùn tắc nhiều giờ liền."
    ),
    "foreign page labels": FLOOD + " 作者 来源 浏览 发布时间 最新消息 点击这里.",
    "pills": "Rx online viagra cialis buy now. " + FLOOD,
    "links": FLOOD + " Xem thêm www.no-hu.club https://tai-xiu.bet casino.top",
}
PROMOTION = [
    "Nhà cái uy tín nhất 2026, khuyến mãi 200% nạp lần đầu! Đăng ký ngay tại bet88.vip. Soi kèo miễn phí.",
    "Vay tiền nhanh trong 5 phút, không thế chấp. Vay online duyệt ngay. Đăng ký ngay hôm nay.",
    "最新赌场 注册送彩金 点击进入 在线客服 二十四小时",
]
REWRITTEN = (
    "Chiều nay, mưa lớn kéo dài gần hai giờ khiến nhiều tuyến đường tại phường Phan Đình Phùng bị ngập sâu. "
    "Nước dâng đến nửa bánh xe, hàng chục xe máy chết máy phải dắt bộ. Cảnh sát phân luồng, hỗ trợ người dân."
)
