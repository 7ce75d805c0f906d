// HTTP/1.1 load: http-load PORT CONNECTIONS SECONDS [rate=N] [warmup=SECONDS] [host=NAME].
// Says `measuring` when the warm-up is over, and at the end one line of JSON.
// Closed loop, or with a rate an open one: arrivals after Poisson, each latency counted from the moment the request should have gone out.
#include "histogram.h"
#include "sockets.h"
#include <deque>
#include <string>
#include <vector>

struct Call {
  int fd = -1;
  bool standing = false;
  bool busy = false;
  double since = 0;
  std::string in; // a head not yet whole
  uint64_t bodyLeft = 0;
  bool inBody = false;
  bool failed = false; // by its status
};

/** A request whose id, trace and path change with each use; the rest is what a browser behind a gateway sends. */
class Request {
public:
  explicit Request(const std::string &host) : chance_(static_cast<uint64_t>(getpid())) {
    text_ = "GET /api/v1/items/...?view=full HTTP/1.1\r\nHost: " + host +
            "\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) bench/1.0\r\nAccept: application/json, text/plain, */*\r\n"
            "Accept-Encoding: gzip, deflate, br\r\nAccept-Language: en-GB,en;q=0.8\r\n"
            "X-Request-Id: 00000000-0000-4000-8000-000000000000\r\n"
            "Traceparent: 00-00000000000000000000000000000000-0000000000000000-00\r\n"
            "Authorization: Bearer abcdefghijklmnopqrstuvwxyz0123456789\r\nCookie: session=0123456789abcdef; theme=dark\r\n"
            "Referer: http://" + host + "/\r\n\r\n";
    path_ = text_.find("...");
    id_ = text_.find("00000000-0000-4");
    trace_ = text_.find("Traceparent: 00-") + 16;
  }

  const std::string &next() {
    unsigned item = 100 + static_cast<unsigned>(chance_.next() % 500);
    for (int i = 2; i >= 0; i--, item /= 10) text_[path_ + static_cast<size_t>(i)] = static_cast<char>('0' + item % 10);
    chance_.hex(&text_[id_], 8);
    chance_.hex(&text_[id_ + 9], 4);
    chance_.hex(&text_[id_ + 24], 12);
    chance_.hex(&text_[trace_], 32);
    chance_.hex(&text_[trace_ + 33], 16);
    text_[trace_ + 51] = chance_.next() % 100 == 0 ? '1' : '0'; // one trace in a hundred is sampled by its caller
    return text_;
  }

private:
  Chance chance_;
  std::string text_;
  size_t path_, id_, trace_;
};

class Load {
public:
  Load(int port, int connections, double seconds, double warmup, double rate, const std::string &host)
      : port_(port), seconds_(seconds), warmup_(warmup), rate_(rate), request_(host), calls_(static_cast<size_t>(connections)), chance_(11) {}

  void run() {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    for (Call &call : calls_) open(call);
    double start = now();
    measureFrom_ = start + warmup_;
    end_ = measureFrom_ + seconds_;
    nextArrival_ = start + 0.01;
    static epoll_event events[512];
    bool measuring = false;
    for (double t = start; t < end_; t = now()) {
      if (!measuring && t >= measureFrom_) {
        measuring = true;
        puts("measuring"); // whoever watches takes the CPU time now
        fflush(stdout);
      }
      if (rate_ > 0) arrivals(t);
      double until = rate_ > 0 && nextArrival_ < end_ ? nextArrival_ : end_;
      double wait = until - now();
      if (wait < 0) wait = 0;
      if (wait > 0.05) wait = 0.05;
      timespec timeout{0, static_cast<long>(wait * 1e9)};
      int ready = epoll_pwait2(epoll_, events, 512, &timeout, nullptr);
      for (int i = 0; i < ready; i++) happened(*static_cast<Call *>(events[i].data.ptr), events[i].events);
    }
    finished_ = now();
    // Unanswered during the whole measurement: no latency tells of these.
    for (Call &call : calls_)
      if (call.busy && call.since < measureFrom_) stalled_++;
  }

  void print() const {
    printf("{\"seconds\":%.6f,\"count\":%llu,\"errors\":%llu,\"stalled\":%llu,\"late\":%zu,\"p50_us\":%.1f,\"p90_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f}\n",
           finished_ - measureFrom_, static_cast<unsigned long long>(latencies_.count()), static_cast<unsigned long long>(errors_),
           static_cast<unsigned long long>(stalled_), due_.size(), latencies_.quantile(0.5), latencies_.quantile(0.9), latencies_.quantile(0.99),
           latencies_.quantile(0.999), latencies_.max());
  }

private:
  void open(Call &call) {
    call = Call{};
    call.fd = dial(port_);
    if (call.fd < 0) {
      errors_++;
      return;
    }
    watch(epoll_, EPOLL_CTL_ADD, call.fd, EPOLLIN | EPOLLOUT, &call);
  }

  void fail(Call &call) {
    errors_++;
    close(call.fd);
    // A proxy that refuses everything must not make this a busy loop of dials.
    if (errors_ < 100'000) open(call);
    else call = Call{};
  }

  void arrivals(double t) {
    for (; nextArrival_ <= t && nextArrival_ < end_; nextArrival_ += -std::log(chance_.fraction()) / rate_) due_.push_back(nextArrival_);
    while (!due_.empty() && !idle_.empty()) {
      Call &call = *idle_.back();
      idle_.pop_back();
      if (!call.standing || call.busy) continue;
      double since = due_.front();
      due_.pop_front();
      send(call, since);
    }
  }

  void send(Call &call, double since) {
    const std::string &bytes = request_.next();
    call.busy = true;
    call.since = since;
    call.failed = false;
    if (::send(call.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size())) fail(call);
  }

  void free(Call &call) {
    call.busy = false;
    if (rate_ > 0) idle_.push_back(&call);
    else send(call, now());
  }

  void happened(Call &call, uint32_t events) {
    if (!call.standing) {
      int error = 0;
      socklen_t size = sizeof error;
      getsockopt(call.fd, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error != 0 || !(events & EPOLLOUT)) return fail(call);
      call.standing = true;
      watch(epoll_, EPOLL_CTL_MOD, call.fd, EPOLLIN, &call);
      return free(call);
    }
    static char buffer[64 << 10];
    ssize_t length = recv(call.fd, buffer, sizeof buffer, 0);
    if (length < 0 && errno == EAGAIN) return;
    if (length <= 0) return fail(call);
    received(call, buffer, static_cast<size_t>(length));
  }

  void received(Call &call, const char *bytes, size_t length) {
    if (!call.inBody) {
      const char *text = bytes;
      size_t size = length;
      if (!call.in.empty()) {
        call.in.append(bytes, length);
        text = call.in.data();
        size = call.in.size();
      }
      const char *end = static_cast<const char *>(memmem(text, size, "\r\n\r\n", 4));
      if (end == nullptr) {
        if (call.in.empty()) call.in.assign(bytes, length);
        return;
      }
      size_t head = static_cast<size_t>(end - text) + 4;
      if (!call.busy || size < 12 || memcmp(text, "HTTP/1.1 ", 9) != 0) return fail(call);
      call.failed = text[9] != '2';
      const char *field = strcasestr(text, "\r\ncontent-length:");
      if (field == nullptr || field >= end) return fail(call);
      call.bodyLeft = strtoull(field + 17, nullptr, 10);
      call.inBody = true;
      length = size - head;
      call.in.clear();
    }
    if (length > call.bodyLeft) return fail(call);
    call.bodyLeft -= length;
    if (call.bodyLeft > 0) return;
    call.inBody = false;
    double t = now();
    if (call.failed) errors_++;
    else if (t >= measureFrom_) latencies_.record((t - call.since) * 1e6);
    free(call);
  }

  int port_;
  double seconds_, warmup_, rate_;
  Request request_;
  std::vector<Call> calls_;
  Chance chance_;
  std::vector<Call *> idle_;
  std::deque<double> due_;
  Histogram latencies_;
  int epoll_ = -1;
  double measureFrom_ = 0, end_ = 0, finished_ = 0, nextArrival_ = 0;
  uint64_t errors_ = 0, stalled_ = 0;
};

int main(int count, char **arguments) {
  if (count < 4) {
    fprintf(stderr, "http-load PORT CONNECTIONS SECONDS [rate=N] [warmup=SECONDS] [host=NAME]\n");
    return 2;
  }
  double rate = 0, warmup = 0;
  std::string host = "app.example";
  for (int i = 4; i < count; i++) {
    std::string option = arguments[i];
    if (option.rfind("rate=", 0) == 0) rate = atof(option.c_str() + 5);
    if (option.rfind("warmup=", 0) == 0) warmup = atof(option.c_str() + 7);
    if (option.rfind("host=", 0) == 0) host = option.substr(5);
  }
  allowManySockets();
  Load load(atoi(arguments[1]), atoi(arguments[2]), atof(arguments[3]), warmup, rate, host);
  load.run();
  load.print();
}
