# Sidekiq for the comparison: ../child.go has the protocol.
# Arguments: the socket of Redis, the concurrency.

require "sidekiq"
require "sidekiq/cli" # makes this a server, as the command does

# The driver in C, where it is installed. Sidekiq 7 has another client, which
# has a driver of its own.
DRIVER = begin
  require(Sidekiq::VERSION.to_i < 7 ? "redis/connection/hiredis" : "hiredis-client")
  :hiredis
rescue LoadError
  :ruby
end

$stdout.sync = true
# redis-rb 4.8 would write a line for each job, since Sidekiq 6.4 calls it in an
# older way.
Redis.silence_deprecations = true if defined?(Redis) && Redis.respond_to?(:silence_deprecations=)
SOCKET, CONCURRENCY = ARGV[0], Integer(ARGV[1])
REDIS = {url: "unix://#{SOCKET}", driver: DRIVER}
Sidekiq.logger.level = Logger::ERROR # else it tells of each job
Sidekiq.configure_server { |config| config.redis = REDIS }
Sidekiq.configure_client { |config| config.redis = REDIS }

class Bench
  include Sidekiq.const_defined?(:Job) ? Sidekiq::Job : Sidekiq::Worker

  LOCK = Mutex.new
  @ran = 0

  class << self
    attr_reader :ran

    def count = LOCK.synchronize { @ran += 1 }
  end

  def perform(_n) = Bench.count
end

# A server like that of the command: embedded since Sidekiq 7, by its parts before.
def server
  if Sidekiq.respond_to?(:configure_embed)
    return Sidekiq.configure_embed do |config|
      config.redis = REDIS
      config.logger.level = Logger::ERROR
      config.queues = %w[default]
      config.concurrency = CONCURRENCY
    end
  end
  Sidekiq.options[:queues] = %w[default]
  Sidekiq.options[:concurrency] = CONCURRENCY
  Sidekiq::Launcher.new(Sidekiq.options)
end

def report
  told = 0
  loop do
    sleep 0.005
    puts "ran #{told = Bench.ran}" if told != Bench.ran
  end
end

Sidekiq.redis { |redis| redis.ping }
yjit = defined?(RubyVM::YJIT) && RubyVM::YJIT.enabled? ? "YJIT" : "no YJIT"
puts "ready #{Sidekiq::VERSION} Ruby #{RUBY_VERSION} with #{yjit}, driver #{DRIVER}"
worker = nil
while (line = $stdin.gets)
  what, n = line.split
  case what
  when "insert"
    jobs = Array.new(Integer(n)) { |i| [i] }
    jobs.each_slice(1000) { |slice| Bench.perform_bulk(slice) }
    puts "inserted #{n}"
  when "work"
    worker = server
    Thread.new { report }
    worker.run
    puts "working"
  when "stop"
    break
  end
end
worker&.stop
puts "stopped"
