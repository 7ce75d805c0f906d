// gRPC load over cleartext HTTP/2: grpc-load PORT CONNECTIONS STREAMS SECONDS MESSAGES BYTES. Prints one line of JSON.
// Each call sends MESSAGES messages, the next once the last came back; a call with one message is unary. STREAMS are at work on each connection.
#include "histogram.h"
#include "http2-frames.h"
#include "sockets.h"
#include <algorithm>
#include <unordered_map>
#include <vector>

struct Call {
  double since;
  int sent = 0; // messages
  size_t received = 0; // bytes
};

struct Peer {
  int fd = -1;
  bool standing = false, dirty = false;
  std::string in, out;
  uint32_t nextStream = 1;
  int64_t window = http2::kInitialWindow;
  uint64_t consumed = 0;
  std::unordered_map<uint32_t, Call> calls;
};

class Load {
public:
  Load(int port, int connections, int streams, double seconds, int messages, size_t bytes)
      : port_(port), streams_(streams), seconds_(seconds), messages_(messages), chance_(static_cast<uint64_t>(getpid())), peers_(static_cast<size_t>(connections)) {
    message_.push_back(0); // not compressed
    http2::number(message_, static_cast<uint32_t>(bytes));
    message_.append(bytes, 'm');
    block_ += "\x83\x86"; // POST, http
    http2::field(block_, 4, "/bench.Echo/Method000");
    path_ = block_.size() - 3;
    http2::field(block_, 1, "grpc.example");
    http2::field(block_, 31, "application/grpc");
    http2::field(block_, "te", "trailers");
    http2::field(block_, 58, "grpc-bench/1.0");
    http2::field(block_, "grpc-timeout", "20S");
    http2::field(block_, 23, "Bearer abcdefghijklmnopqrstuvwxyz0123456789");
    http2::field(block_, "x-request-id", std::string(32, '0'));
    id_ = block_.size() - 32;
    http2::field(block_, "traceparent", "00-" + std::string(32, '0') + "-" + std::string(16, '0') + "-01");
    trace_ = block_.size() - 52;
  }

  void run() {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    for (Peer &peer : peers_) open(peer);
    double start = now();
    static epoll_event events[256];
    while (now() < start + seconds_) {
      int ready = epoll_wait(epoll_, events, 256, 50);
      for (int i = 0; i < ready; i++) happened(*static_cast<Peer *>(events[i].data.ptr), events[i].events);
    }
    seconds_ = now() - start;
    for (Peer &peer : peers_)
      for (auto &[id, call] : peer.calls)
        if (now() - call.since > 1 + messages_ * 0.1) errors_++;
  }

  void print() const {
    printf("{\"seconds\":%.6f,\"count\":%llu,\"messages\":%llu,\"errors\":%llu,\"p50_us\":%.1f,\"p99_us\":%.1f}\n", seconds_,
           static_cast<unsigned long long>(latencies_.count()), static_cast<unsigned long long>(messagesBack_), static_cast<unsigned long long>(errors_),
           latencies_.quantile(0.5), latencies_.quantile(0.99));
  }

private:
  void open(Peer &peer) {
    peer = Peer{};
    peer.fd = dial(port_);
    if (peer.fd < 0) {
      errors_++;
      return;
    }
    watch(epoll_, EPOLL_CTL_ADD, peer.fd, EPOLLIN | EPOLLOUT, &peer);
  }

  void fail(Peer &peer) {
    errors_ += std::max<size_t>(1, peer.calls.size());
    close(peer.fd);
    if (errors_ < 100'000) open(peer);
    else peer = Peer{};
  }

  void begin(Peer &peer) {
    uint32_t id = peer.nextStream;
    peer.nextStream += 2;
    unsigned path = static_cast<unsigned>(chance_.next() % 500);
    for (int i = 2; i >= 0; i--, path /= 10) block_[path_ + static_cast<size_t>(i)] = static_cast<char>('0' + path % 10);
    chance_.hex(&block_[id_], 32);
    chance_.hex(&block_[trace_], 32);
    chance_.hex(&block_[trace_ + 33], 16);
    http2::frameHead(peer.out, block_.size(), http2::kHeaders, http2::kEndHeaders, id);
    peer.out += block_;
    Call &call = peer.calls[id];
    call.since = now();
    sendMessage(peer, id, call);
  }

  void sendMessage(Peer &peer, uint32_t id, Call &call) {
    if (peer.window < static_cast<int64_t>(message_.size())) {
      dry_.push_back({&peer, id});
      return;
    }
    call.sent++;
    http2::frameHead(peer.out, message_.size(), http2::kData, call.sent == messages_ ? http2::kEndStream : 0, id);
    peer.out += message_;
    peer.window -= static_cast<int64_t>(message_.size());
  }

  void happened(Peer &peer, uint32_t events) {
    if (!peer.standing) {
      int error = 0;
      socklen_t size = sizeof error;
      getsockopt(peer.fd, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error != 0 || !(events & EPOLLOUT)) return fail(peer);
      peer.standing = true;
      peer.out.append(http2::kPreface, http2::kPrefaceLength);
      http2::openConnection(peer.out);
      for (int i = 0; i < streams_; i++) begin(peer);
      watch(epoll_, EPOLL_CTL_MOD, peer.fd, EPOLLIN, &peer);
      return flush(peer);
    }
    if (events & ~static_cast<uint32_t>(EPOLLOUT)) {
      static char buffer[256 << 10];
      ssize_t length = recv(peer.fd, buffer, sizeof buffer, 0);
      if (length == 0 || (length < 0 && errno != EAGAIN)) return fail(peer);
      if (length > 0) {
        peer.in.append(buffer, static_cast<size_t>(length));
        size_t used = 0;
        http2::Frame frame;
        while (http2::nextFrame(peer.in, used, frame))
          if (!handle(peer, frame)) return fail(peer);
        peer.in.erase(0, used);
      }
    }
    flush(peer);
  }

  void finish(Peer &peer, uint32_t id, const Call &call) {
    if (call.received == static_cast<size_t>(messages_) * message_.size()) latencies_.record((now() - call.since) * 1e6);
    else errors_++;
    peer.calls.erase(id);
    begin(peer);
  }

  bool handle(Peer &peer, const http2::Frame &frame) {
    switch (frame.type) {
    case http2::kData: {
      peer.consumed += frame.length;
      if (peer.consumed >= 1 << 20) {
        http2::windowUpdate(peer.out, 0, static_cast<uint32_t>(peer.consumed));
        peer.consumed = 0;
      }
      auto found = peer.calls.find(frame.stream);
      if (found == peer.calls.end() || frame.flags & http2::kPadded) return false;
      Call &call = found->second;
      call.received += frame.length;
      if (frame.flags & http2::kEndStream) {
        call.received = 0; // without trailers there is no status: a failure
        finish(peer, frame.stream, call);
      } else if (call.received == static_cast<size_t>(call.sent) * message_.size()) {
        messagesBack_++;
        if (call.sent < messages_) sendMessage(peer, frame.stream, call);
      }
      return true;
    }
    case http2::kHeaders: {
      auto found = peer.calls.find(frame.stream);
      if (found != peer.calls.end() && frame.flags & http2::kEndStream) finish(peer, frame.stream, found->second);
      return true;
    }
    case http2::kReset: {
      auto found = peer.calls.find(frame.stream);
      if (found == peer.calls.end()) return true;
      found->second.received = 0;
      finish(peer, frame.stream, found->second);
      return errors_ < 100'000;
    }
    case http2::kSettings:
      if (!(frame.flags & http2::kAck)) http2::frameHead(peer.out, 0, http2::kSettings, http2::kAck, 0);
      return true;
    case http2::kPing:
      if (frame.flags & http2::kAck || frame.length != 8) return true;
      http2::frameHead(peer.out, 8, http2::kPing, http2::kAck, 0);
      peer.out.append(reinterpret_cast<const char *>(frame.payload), 8);
      return true;
    case http2::kGoAway:
      return false;
    case http2::kWindowUpdate: {
      if (frame.stream != 0) return true; // a call sends less than one stream's window
      peer.window += http2::number(frame.payload) & 0x7fffffff;
      std::vector<std::pair<Peer *, uint32_t>> waiting;
      waiting.swap(dry_);
      for (auto &[owner, id] : waiting) {
        auto found = owner->calls.find(id);
        if (found != owner->calls.end()) sendMessage(*owner, id, found->second);
        if (owner != &peer) flush(*owner);
      }
      return true;
    }
    default:
      return true;
    }
  }

  void flush(Peer &peer) {
    size_t sent = 0;
    while (sent < peer.out.size()) {
      ssize_t length = send(peer.fd, peer.out.data() + sent, peer.out.size() - sent, MSG_NOSIGNAL);
      if (length < 0) {
        if (errno != EAGAIN) return; // the next read fails
        break;
      }
      sent += static_cast<size_t>(length);
    }
    peer.out.erase(0, sent);
    if (peer.dirty == peer.out.empty()) {
      peer.dirty = !peer.dirty;
      watch(epoll_, EPOLL_CTL_MOD, peer.fd, EPOLLIN | (peer.dirty ? EPOLLOUT : 0u), &peer);
    }
  }

  int port_, streams_;
  double seconds_;
  int messages_;
  Chance chance_;
  std::vector<Peer> peers_;
  std::string message_, block_;
  size_t path_ = 0, id_ = 0, trace_ = 0;
  std::vector<std::pair<Peer *, uint32_t>> dry_;
  Histogram latencies_;
  uint64_t messagesBack_ = 0, errors_ = 0;
  int epoll_ = -1;
};

int main(int count, char **arguments) {
  if (count < 7) {
    fprintf(stderr, "grpc-load PORT CONNECTIONS STREAMS SECONDS MESSAGES BYTES\n");
    return 2;
  }
  Load load(atoi(arguments[1]), atoi(arguments[2]), atoi(arguments[3]), atof(arguments[4]), atoi(arguments[5]), static_cast<size_t>(atoi(arguments[6])));
  load.run();
  load.print();
}
